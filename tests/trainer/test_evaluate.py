"""Metrics on labelled images, where the product looks and where masks are."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.engine import Inference
from edge.vision.calibration import Calibration, Range
from edge.vision.fit import Fit
from edge.vision.geometry import Geometry
from tests.conftest import Plant, write_masks, write_parts
from tests.support.commands import draem_in_process
from trainer.data.layout import samples
from trainer.evaluation.evaluate import Metrics, measure
from trainer.evaluation.scored_images import score_all

CROP = (40, 20, 64, 64)
WIDE = Range(low=0, high=1e9)


def bright_is_hot(batch: NDArray[np.uint8]) -> Inference:
    """Stands in for an engine."""
    heatmap = np.asarray(batch[..., 0] / 255, np.float32)
    return Inference(np.asarray(heatmap.max(axis=(1, 2)), np.float32), heatmap)


def all_but_black_is_hot(batch: NDArray[np.uint8]) -> Inference:
    return bright_is_hot(np.where(batch > 0, np.uint8(255), np.uint8(0)))


def labelled(root: Path, *, masks: bool = True) -> Path:
    """Two good images and two with a bright spot, in MVTec layout."""
    for kind in ("test/good", "test/spot", "ground_truth/spot"):
        (root / kind).mkdir(parents=True)
    for i in range(2):
        image = np.zeros((100, 160), np.uint8)
        cv2.imwrite(str(root / f"test/good/{i}.png"), image)
        image[40 + i : 52 + i, 60:72] = 255
        cv2.imwrite(str(root / f"test/spot/{i}.png"), image)
        if masks:
            cv2.imwrite(str(root / f"ground_truth/spot/{i}_mask.png"), image)
    return root


def evaluate(
    crop: tuple[int, int, int, int] | None, root: Path, threshold: float | None = None
) -> Metrics:
    made = None if threshold is None else calibration(threshold=threshold)
    scored = score_all(Fit(64, 64, crop=crop), bright_is_hot, samples(root), made)
    return measure(scored, threshold)


def calibration(**values: object) -> Calibration:
    """One that judges frames of any light."""
    wide: dict[str, object] = {
        "threshold": 0.5, "pixel_threshold": 0.5, "min_area": 1, "brightness": WIDE,
        "contrast": WIDE, "sharpness": WIDE, "false_reject_rate": 0.01, "scores": [],
        "created": "",
    }  # fmt: skip
    return Calibration.model_validate(wide | values)


@pytest.mark.parametrize("crop", [None, CROP])
def test_a_perfect_map_is_perfect_with_and_without_a_crop(
    crop: tuple[int, int, int, int] | None, tmp_path: Path
) -> None:
    metrics = evaluate(crop, labelled(tmp_path), 0.5)
    assert (metrics.images, metrics.defective) == (4, 2)
    assert metrics.image_auroc == 1
    assert metrics.pixels is not None
    assert metrics.pixels.ap > 0.95
    assert metrics.pixels.auroc > 0.99
    assert metrics.pixels.aupro > 0.99
    assert metrics.pixels.defective == 2
    assert metrics.by_defect["spot"].images == 2
    assert metrics.by_defect["spot"].image_auroc == 1
    assert metrics.calibrated is not None
    assert metrics.calibrated.accuracy == metrics.best_possible.accuracy == 1


def test_the_authors_mask_rule_is_reported_too(tmp_path: Path) -> None:
    """A thin defect, halved: theirs cuts off its edges, which are as hot in the map."""
    for kind in ("test/good", "test/line", "ground_truth/line"):
        (tmp_path / kind).mkdir(parents=True)
    image = np.zeros((512, 512), np.uint8)
    cv2.imwrite(str(tmp_path / "test/good/0.png"), image)
    image[101:104, 50:400] = 255
    cv2.imwrite(str(tmp_path / "test/line/0.png"), image)
    cv2.imwrite(str(tmp_path / "ground_truth/line/0_mask.png"), image)
    pixels = measure(score_all(Fit(256, 256), all_but_black_is_hot, samples(tmp_path))).pixels
    assert pixels is not None
    assert pixels.ap > 0.99
    assert pixels.ap_as_authors < 0.9


def test_without_masks_there_is_no_pixel_figure(tmp_path: Path) -> None:
    metrics = evaluate(None, labelled(tmp_path, masks=False))
    assert metrics.pixels is None
    assert metrics.by_defect["spot"].pixels is None
    assert metrics.calibrated is None


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="test/good"):
        evaluate(None, tmp_path)
    root = labelled(tmp_path)
    with pytest.raises(ImageError, match="crop"):
        evaluate((0, 0, 500, 500), root)
    shutil.rmtree(root / "test" / "spot")
    with pytest.raises(ImageError, match="all 2 images are good"):
        evaluate(None, root)


def test_the_pixels_of_a_kind_are_held_against_all_good_images(tmp_path: Path) -> None:
    """A kind that is missed pulls down its own figures and the whole, not the other kind's."""
    root = labelled(tmp_path)
    for folder in ("test/dent", "ground_truth/dent"):
        (root / folder).mkdir()
    dark, mask = np.zeros((100, 160), np.uint8), np.zeros((100, 160), np.uint8)
    mask[10:20, 10:20] = 255
    cv2.imwrite(str(root / "test/dent/0.png"), dark)
    cv2.imwrite(str(root / "ground_truth/dent/0_mask.png"), mask)
    metrics = evaluate(None, root)
    assert metrics.by_defect["spot"].image_auroc == 1
    assert metrics.by_defect["dent"].image_auroc == 0.5
    assert metrics.image_auroc == pytest.approx(2.5 / 3)
    dents, spots = (metrics.by_defect[kind].pixels for kind in ("dent", "spot"))
    assert dents is not None
    assert dents.ap < 0.01
    assert spots is not None
    assert spots.ap > 0.95


def test_the_command_prints_figures_and_writes_a_page(calibrated: Plant, tmp_path: Path) -> None:
    write_parts(tmp_path / "set/test/good", 4, seed=11)
    scratched = write_parts(tmp_path / "set/test/scratch", 4, seed=12, defective=True)
    write_masks(tmp_path / "set", scratched[:3])
    page = tmp_path / "page.html"
    words = ("evaluate", str(tmp_path / "set"), "--product", "lid")
    shown = draem_in_process(*words, "--report", str(page), cwd=calibrated.root)
    assert shown.returncode == 0, shown.stderr
    assert "image AUROC" in shown.stdout
    assert "pixel figures are of 3 of 4 defective images" in shown.stdout
    assert "(TPR)" in shown.stdout
    text = page.read_text()
    assert text.count("<svg") == 4, "scores, ROC, precision-recall and the training's validations"
    assert "of 3 of the 4 defective images" in text
    assert text.count("<img") == 8, "four misses and four false alarms at most"
    assert "scratch/part_000.png" in text
    figures = json.loads(draem_in_process(*words, "--json", cwd=calibrated.root).stdout)
    assert figures["images"] == 8
    assert figures["by_defect"]["scratch"]["images"] == 4


LEFT = ((0, 0), (50, 0), (50, 100), (0, 100))
SPOT = ((56, 36), (76, 36), (76, 56), (56, 56))


@pytest.mark.parametrize(
    ("regions", "thresholds", "found", "passed", "auroc"),
    [
        ({"spot": SPOT}, {"spot": 0.1}, 1, 1, 1),
        ({"spot": SPOT}, {"spot": 0.9}, 0, 1, 1),  # warm, but below its own threshold
        ({"left": LEFT}, {"left": 0.1}, 0, 1, 0.5),  # the heat lies outside
        ({"left": LEFT, "spot": SPOT}, {"left": 0.1, "spot": 0.1}, 1, 1, 1),
    ],
)
def test_regions_of_interest_decide_in_the_evaluation_as_on_the_line(
    regions: dict[str, object],
    thresholds: dict[str, float],
    found: float,
    passed: float,
    auroc: float,
    tmp_path: Path,
) -> None:
    """Heat outside of them counts for nothing, and the threshold of the whole map neither."""
    geometry = Geometry.model_validate({"frame": (160, 100), "regions_of_interest": regions})
    made = calibration(threshold=0.001, geometry=geometry, roi_thresholds=thresholds)
    fit = Fit(100, 160, geometry=geometry)
    scored = score_all(fit, bright_is_hot, samples(labelled(tmp_path)), made, window=25)
    metrics = measure(scored, 1.0, list(regions))
    assert metrics.calibrated is not None
    assert (metrics.calibrated.true_positive, metrics.calibrated.true_negative) == (found, passed)
    assert metrics.image_auroc == auroc
    assert metrics.outside == (2 if list(regions) == ["left"] else 0)
    assert (metrics.pixels is None) == (list(regions) == ["left"])


def test_without_a_calibration_the_regions_of_interest_are_ranked(tmp_path: Path) -> None:
    geometry = Geometry.model_validate({"regions_of_interest": {"left": LEFT}})
    fit = Fit(100, 160, geometry=geometry)
    scored = score_all(fit, bright_is_hot, samples(labelled(tmp_path)), window=3)
    assert measure(scored).image_auroc == 0.5
    assert measure(scored).calibrated is None


def test_an_image_in_other_light_counts_as_rejected_and_is_told(tmp_path: Path) -> None:
    made = calibration(brightness=Range(low=100, high=200))
    scored = score_all(Fit(64, 64), bright_is_hot, samples(labelled(tmp_path)), made)
    rates = measure(scored, 0.5).calibrated
    assert rates is not None
    assert (rates.true_positive, rates.true_negative, rates.without_verdict) == (1, 0, 4)


def test_evaluate_and_inspect_agree_on_regions_of_interest(
    calibrated: Plant, tmp_path: Path
) -> None:
    """The whole way: calibrate with a geometry, then the same images through both commands."""
    shutil.copytree(calibrated.products, tmp_path / "products", symlinks=True)
    write_parts(tmp_path / "good", 30, seed=4)
    write_parts(tmp_path / "set/test/good", 10, seed=14)
    write_parts(tmp_path / "set/test/bad", 10, seed=15, defective=True)
    regions = {
        "left": [(20, 20), (160, 20), (160, 220), (20, 220)],
        "corner": [(280, 200), (318, 200), (318, 238), (280, 238)],
    }
    geometry = {"frame": [320, 240], "regions_of_interest": regions}
    (tmp_path / "geometry.json").write_text(json.dumps(geometry))
    words = ("--images", "good", "--geometry", "geometry.json", "--false-reject-rate", "0.1")
    done = draem_in_process("calibrate", "--product", "lid", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = draem_in_process("inspect", "set", "--product", "lid", "--json", cwd=tmp_path).stdout
    ok = {"good": 0, "bad": 0}
    for row in map(json.loads, told.splitlines()):
        ok[Path(row["path"]).parent.name] += row["verdict"] == "OK"
    page = str(tmp_path / "page.html")
    words = ("evaluate", "set", "--product", "lid", "--report", page)
    shown = draem_in_process(*words, "--json", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    rates = json.loads(shown.stdout)["calibrated"]
    assert rates["threshold"] == 1
    assert rates["true_negative"] == ok["good"] / 10
    assert rates["true_positive"] == 1 - ok["bad"] / 10
    assert "regions of interest left, corner" in draem_in_process(*words, cwd=tmp_path).stdout
    assert "left, corner" in (tmp_path / "page.html").read_text()
