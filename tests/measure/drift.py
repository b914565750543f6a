"""Whether the drift watch reports each kind of change, and nothing without a change.

`./just drift` runs the product of the last demo over 5,000 normal parts and three drifts;
tests/edge/station/test_drift.py does it on a short line.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.base.console import track
from edge.camera.simulated.renderer import PartRenderer
from edge.engine import Engine, runtimes
from edge.product.product import Product, load_product
from edge.station.drift_watch import DriftWatch
from edge.station.inspector import Inspector, Stopwatch
from edge.vision.frame import Frame
from edge.vision.image_files import Image

Change = Callable[[Image], Image]


def shifted(image: Image) -> Image:
    """The camera has moved by 8 px of 640."""
    move = np.array([[1, 0, 8 * image.shape[1] / 640], [0, 1, 0]], np.float32)
    size = (image.shape[1], image.shape[0])
    return np.asarray(cv2.warpAffine(image, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def darker(image: Image) -> Image:
    """15 % less light."""
    return np.asarray(image * 0.85, np.uint8)


def smudged(image: Image) -> Image:
    """A finger on the lens: a blurred, slightly dark place, a tenth of the picture wide."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width] / height
    place = np.exp(-((x - 0.85) ** 2 + (y - 0.3) ** 2) / (2 * 0.06**2))[..., None]
    blurred = cv2.GaussianBlur(image, (0, 0), height / 80)
    return np.asarray(image * (1 - place) + (blurred * 0.85 + 10) * place, np.uint8)


CHANGES: dict[str, Change] = {
    "CAMERA_MOVED": shifted,
    "LIGHT_CHANGED": darker,
    "LENS_DIRTY": smudged,
}


def first_report(
    product: Product, engine: Engine, watch: DriftWatch, images: Iterator[Image]
) -> tuple[int, str] | None:
    """The number of the first image with a report, and the reported code."""
    inspector = Inspector(engine, product)
    for number, image in enumerate(images, start=1):
        if watch.add(inspector.inspect(Frame(image, number, 0), Stopwatch()), triggered=False):
            return number, watch.now.code.name if watch.now else "no drift any more"
    return None


def parts(
    line: PartRenderer, first: int, count: int, change: Change | None = None
) -> Iterator[Image]:
    """Good parts of a line, seen through a change."""
    for index in range(first, first + count):
        image = line.part(index).image
        yield change(image) if change else image


def main(normal: int) -> int:
    if not Path("demo/products/lid/current/calibration.json").exists():
        print("no product: run './just demo' first", file=sys.stderr)
        return 2
    product = load_product(Path("demo/products"), "lid")
    line, wrong = PartRenderer("moulded", 4711), 0
    with runtimes.load(product) as engine:
        for name, change in CHANGES.items():
            watch = DriftWatch(product)
            assert first_report(product, engine, watch, parts(line, 0, 100)) is None
            found = first_report(product, engine, watch, parts(line, 100, 200, change))
            print(f"{change.__name__}: {found or 'not seen'}")
            wrong += found is None or found[1] != name
        images = track(parts(line, 1000, normal), "normal parts", total=normal)
        false = first_report(product, engine, DriftWatch(product), iter(images))
    print(f"{normal} normal parts: {false or 'no report'}")
    return int(wrong > 0 or false is not None)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
