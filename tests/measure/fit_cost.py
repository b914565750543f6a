"""What a geometry costs in `fit`: pairs with and without, in turn.

`python -m tests.measure.fit_cost`

The time is that of the thread on its core (other programs' turns do not count), with OpenCV on one
thread as on the line.
"""

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.fit import Fit
from edge.vision.geometry import Geometry
from edge.vision.lens import Lens

PAIRS = 400
SIDE = 256


def geometry(width: int, height: int) -> Geometry:
    """A wide lens that bends the corners by some 4 % of their distance, and a plane tilted."""
    focal = 1.2 * width
    matrix = ((focal, 0, width / 2), (0, focal, height / 2), (0, 0, 1))
    lens = Lens(camera_matrix=matrix, distortion=(-0.18, 0.05, 0.0005, -0.0005, 0))
    scale, lean = 200 / width, 0.04 / width
    plane = ((scale, 0.01 * scale, 0), (0.005 * scale, scale, 0), (lean, 2 * lean, 1))
    corner = ((0.4 * width, 0.4 * height), (0.6 * width, 0.4 * height), (0.5 * width, 0.6 * height))
    return Geometry(
        frame=(width, height), lens=lens, plane=plane, regions_of_interest={"middle": corner}
    )


def cost(fit: Fit, image: NDArray[np.uint8]) -> float:
    start = time.thread_time_ns()
    fit(image)
    return (time.thread_time_ns() - start) / 1e6


def main() -> None:
    cv2.setNumThreads(1)
    print(f"| frame | crop | without, ms | with, ms | difference: p50, p99 of {PAIRS} pairs |")
    print("|---|---|---|---|---|")
    for width, height in ((640, 480), (1920, 1200)):
        rng = np.random.default_rng(0)
        image = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        for crop in (None, (width // 8, height // 8, 3 * width // 4, 3 * height // 4)):
            plain = Fit(SIDE, SIDE, "area", crop)
            straight = Fit(SIDE, SIDE, "area", crop, geometry(width, height))
            for fit in (plain, straight) * 5:
                fit(image)
            pairs = np.array([(cost(plain, image), cost(straight, image)) for _ in range(PAIRS)])
            without, with_ = np.median(pairs, axis=0)
            more = np.percentile(pairs[:, 1] - pairs[:, 0], (50, 99))
            print(
                f"| {width}x{height} | {'all' if crop is None else '3/4'} | {without:.2f} "
                f"| {with_:.2f} | {more[0]:.2f}, {more[1]:.2f} |"
            )


if __name__ == "__main__":
    main()
