"""Thresholds that keep their promise, ranges that notice a dead lamp, frames nobody trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from calibration.threshold import doubled, score_threshold, widened
from edge.errors import ImageError
from edge.files import digest
from edge.product import load_product
from tests.conftest import Plant, draem, write_parts


def test_the_false_reject_rate_is_kept_on_average() -> None:
    """Split conformal prediction promises exactly this, whatever the distribution."""
    rng = np.random.default_rng(0)
    for rate, count in ((0.05, 60), (0.01, 300), (0.005, 50)):
        rejected = []
        for _ in range(400):
            scores = rng.beta(2, 20, size=count)
            threshold = score_threshold(scores, rate)
            rejected.append((rng.beta(2, 20, size=2000) >= threshold.value).mean())
        promised = threshold.promised_rate
        assert np.mean(rejected) <= promised * 1.15, (rate, count)
        assert promised <= max(rate, 1 / (count + 1)) + 1e-9


def test_a_good_frame_at_its_own_threshold_is_not_rejected() -> None:
    scores = np.array([0.1, 0.3, 0.2], np.float32).astype(np.float64)
    assert score_threshold(scores, 0.01).value > 0.3


def test_a_range_holds_its_values_and_not_a_dead_lamp() -> None:
    brightness = widened([95.0, 100.0, 105.0])
    assert brightness.holds(90)
    assert not brightness.holds(5)
    assert not brightness.holds(float("nan"))
    assert widened([7.0, 7.0]).holds(7.5)
    sharpness = doubled([400.0, 500.0])
    assert sharpness.holds(900)
    assert not sharpness.holds(150)


@pytest.mark.parametrize("values", [[0.0, 5.0], [10.0, 25.0, 40.0], [1.0, 100.0]])
def test_no_range_holds_darkness(values: list[float]) -> None:
    """However much good frames vary, a black picture is none of them."""
    if min(values) == 0:
        for make in (widened, doubled):
            with pytest.raises(ImageError, match="lamp and lens"):
                make(values)
    else:
        assert not widened(values).holds(0)
        assert not doubled(values).holds(0)


def test_a_defect_among_the_good_frames_cannot_open_the_gate() -> None:
    """A score of 1 in 40 would make a threshold that nothing reaches."""
    with pytest.raises(ImageError, match="nothing could be rejected"):
        score_threshold(np.array([0.1] * 40 + [1.0]), 0.005)


@pytest.mark.parametrize(("count", "rate"), [(199, 0.005), (99, 0.01), (19, 0.05), (999, 0.001)])
def test_just_enough_frames_are_enough(count: int, rate: float) -> None:
    scores = np.linspace(0.1, 0.2, count)
    assert score_threshold(scores, rate).promised_rate <= rate + 1e-9


def test_calibration_is_a_new_version_with_hard_links(plant: Plant, calibrated: Plant) -> None:
    new = calibrated.product
    assert new.calibration is not None
    assert new.version != plant.product.version
    assert new.model_path.stat().st_ino == plant.product.model_path.stat().st_ino
    assert len(new.calibration.scores) == 40
    assert len(list((new.path / "calibration").glob("*.png"))) == 40
    assert "calibration/000.png" in new.manifest.files
    assert not any("engines" in name for name in new.manifest.files)


def test_images_that_training_saw_are_left_out(plant: Plant, tmp_path: Path) -> None:
    good = tmp_path / "good"
    paths = write_parts(good, 12, seed=2)
    import shutil

    from edge.product import MANIFEST

    copied = shutil.copytree(plant.product.path, tmp_path / "products" / "lid" / "1")
    seen = [{"sha256": digest(p), "path": str(p), "split": "train"} for p in paths[:4]]
    (copied / "sources.json").write_text(json.dumps({"images": seen}))
    manifest = json.loads((copied / MANIFEST).read_text())
    manifest["files"]["sources.json"] = digest(copied / "sources.json")
    (copied / MANIFEST).write_text(json.dumps(manifest))
    words = ("calibrate", "--product", "lid", "--images", str(good), "--version", "1")
    done = draem(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 images left out" in done.stderr
    assert "are needed" in done.stderr, "8 frames cannot promise 0.5 %"
    made = load_product(tmp_path / "products", "lid")
    assert made.calibration is not None
    assert len(made.calibration.scores) == 8


def test_a_product_without_images_says_what_to_add(plant: Plant) -> None:
    done = draem("calibrate", "--product", "lid", "--version", "1", cwd=plant.root)
    assert done.returncode == 2
    assert "--images" in done.stderr
