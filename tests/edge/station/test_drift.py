"""The drift watch: calibration ranges, what is reported."""

import json
import shutil
from pathlib import Path
from threading import Event as StopEvent

import cv2
import numpy as np
import pytest

from calibration.threshold.drift_limits import WINDOW, drift_ranges
from edge.camera.simulated.renderer import PartRenderer
from edge.engine import runtimes
from edge.events.event import Fault, Status
from edge.product.product import Product, load_product
from edge.station.control import Controls
from edge.station.drift_watch import DriftWatch
from edge.station.loop import Pace, run
from edge.vision.drift_features import FEATURES
from edge.vision.image_files import Image, read_image, write_png
from tests.conftest import Plant, draem, write_parts
from tests.measure.drift import CHANGES, darker, first_report
from tests.support.recorded_events import ImageCamera, RecordedEvents


def half(count: int, first: int = 0, step: int = 1, seed: int = 31) -> list[Image]:
    """Good parts at half size, as the tests' product knows them."""
    line = PartRenderer("moulded", seed)
    images = (line.part(i).image for i in range(first, first + count * step, step))
    return [np.asarray(cv2.resize(i, (320, 240), interpolation=cv2.INTER_AREA)) for i in images]


@pytest.fixture(scope="module")
def watched(calibrated: Plant, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """Calibrated on parts of two whole swings of the line's lamp."""
    root = tmp_path_factory.mktemp("watched")
    shutil.copytree(calibrated.products, root / "products", symlinks=True)
    (root / "good").mkdir()
    for i, image in enumerate(half(100, step=3, seed=30)):
        write_png(root / "good" / f"{i:03d}.png", image)
    done = draem("calibrate", "--product", "lid", "--images", "good", cwd=root)
    assert done.returncode == 0, done.stderr
    return load_product(root / "products", "lid")


@pytest.mark.parametrize("name", CHANGES)
def test_calibration_drift_is_reported_within_200_parts(watched: Product, name: str) -> None:
    product = watched
    with runtimes.load(product) as engine:
        watch = DriftWatch(product)
        assert first_report(product, engine, watch, iter(half(60))) is None, (
            "nothing has changed yet"
        )
        changed = (CHANGES[name](image) for image in half(200, 60))
        found = first_report(product, engine, watch, changed)
    assert found is not None
    assert found[1] == name
    assert found[0] <= 200


def test_calibration_drift_is_not_reported_without_a_change(watched: Product) -> None:
    product = watched
    with runtimes.load(product) as engine:
        assert first_report(product, engine, DriftWatch(product), iter(half(300))) is None


def test_calibration_drift_of_a_line_is_a_fault_and_ends_with_a_status(watched: Product) -> None:
    """Verdicts go on; control knows it meanwhile."""
    product, controls = watched, Controls(watched)
    good = half(220)
    images = [*good[:20], *map(darker, good[20:120]), *good[120:]]
    seen = []
    with runtimes.load(product) as engine, RecordedEvents() as recorded:
        camera, pace = ImageCamera(images), Pace(triggered=False, deadline_ms=5000)
        run(
            camera, engine, recorded.writer(product), StopEvent(), pace, controls,
            show=lambda *_: seen.append(controls.drift),
        )  # fmt: skip
        headers = recorded.headers
    (fault,) = [h for h in headers if isinstance(h, Fault)]
    assert fault.code.name == "light_changed"
    assert "lamp" in fault.message
    began = headers.index(fault)
    (again,) = [
        i for i, h in enumerate(headers) if isinstance(h, Status) and 0 < i < len(headers) - 1
    ]
    assert began < again
    assert "light_changed" in seen
    assert seen[-1] == ""


def test_calibration_drift_is_not_reported_while_the_line_stands_still(watched: Product) -> None:
    """One good part in view for a minute, with the sensor's noise, between others."""
    rng = np.random.default_rng(0)
    images = half(4)
    for image in images[:]:
        noisy = (image + rng.normal(0, 1.5, image.shape) for _ in range(120))
        images += [np.clip(one, 0, 255).astype(np.uint8) for one in noisy]
    with runtimes.load(watched) as engine:
        assert first_report(watched, engine, DriftWatch(watched), iter(images)) is None


def test_calibration_drift_with_regions_of_interest_is_not_reported_for_good_parts(
    calibrated: Plant, tmp_path: Path
) -> None:
    """The watch compares the engine's score, whatever region decides."""
    shutil.copytree(calibrated.products, tmp_path / "products", symlinks=True)
    write_parts(tmp_path / "good", 40, seed=4)
    region = {"middle": [(60, 40), (260, 40), (260, 200), (60, 200)]}
    (tmp_path / "geometry.json").write_text(json.dumps({"regions_of_interest": region}))
    words = ("calibrate", "--product", "lid", "--images", "good", "--geometry", "geometry.json")
    done = draem(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    product = load_product(tmp_path / "products", "lid")
    images = [read_image(path) for path in sorted((tmp_path / "good").glob("*.png"))]
    with runtimes.load(product) as engine:
        assert first_report(product, engine, DriftWatch(product), iter(images * 4)) is None


def test_calibration_drift_limit_grows_where_parts_are_few() -> None:
    """The fewer parts a range rests on, the more of the next ones may lie outside of it."""
    rng = np.random.default_rng(0)
    limits = []
    for count in (5, 10, 20, 100):
        fitted = rng.integers(60, 190, (count, 64, 64, 3)).astype(np.uint8)
        made = drift_ranges(fitted, rng.uniform(0, 0.2, count), np.full((128, 128), 120, np.uint8))
        if made is None:
            assert count == 5, "so few cannot tell a drift from chance"
            continue
        assert len(made.low) == len(made.high) == FEATURES
        assert made.false_alarm <= 1e-7
        limits.append(made.limit)
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == WINDOW // 2
    assert len(limits) == 3
