"""OK is what remains when everything that could be wrong was ruled out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events.codes import Code
from edge.vision.calibration import Calibration, Range
from edge.vision.judge import Conditions, judge, measure
from edge.vision.placement import Placement

PLACE = Placement((100, 50, 128, 64), 32, 64)
WINDOW = 3  # of regions of interest, which tests/edge/vision/test_roi.py has
GOOD = Conditions(100.0, 40.0, 200.0)
CALIBRATION = Calibration(
    threshold=0.5,
    pixel_threshold=0.7,
    min_area=4,
    brightness=Range(low=80, high=120),
    contrast=Range(low=30, high=50),
    sharpness=Range(low=100, high=300),
    false_reject_rate=0.01,
    scores=[0.1],
    frames={},
    created="2026-01-01",
)


def heat(*spots: tuple[int, int, int, int, float]) -> np.ndarray:
    made = np.zeros((32, 64), np.float32)
    for x, y, width, height, value in spots:
        made[y : y + height, x : x + width] = value
    return made


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1))
def test_ng_exactly_from_the_threshold_on_and_never_ok_by_accident(
    score: float, level: float
) -> None:
    calibration = CALIBRATION.model_copy(update={"threshold": level})
    verdict = judge(score, heat(), GOOD, calibration, PLACE, WINDOW).verdict
    if not math.isfinite(score):
        assert verdict == "NO_VERDICT"
    else:
        assert verdict == ("NG" if score >= level else "OK")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_bad_pixel_in_the_map_is_no_verdict(value: float) -> None:
    judged = judge(0.1, heat((3, 3, 1, 1, value)), GOOD, CALIBRATION, PLACE, WINDOW)
    assert (judged.verdict, judged.code) == ("NO_VERDICT", Code.NOT_FINITE)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("brightness", 5.0, Code.BRIGHTNESS),
        ("brightness", 200.0, Code.BRIGHTNESS),
        ("contrast", 1.0, Code.CONTRAST),
        ("sharpness", 2.0, Code.SHARPNESS),
        ("sharpness", math.nan, Code.SHARPNESS),
    ],
)
@pytest.mark.parametrize("score", [0.1, 0.9])
def test_conditions_outside_their_range_are_no_verdict(
    field: str, value: float, code: Code, score: float
) -> None:
    conditions = GOOD._replace(**{field: value})
    judged = judge(score, heat(), conditions, CALIBRATION, PLACE, WINDOW)
    assert (judged.verdict, judged.code) == ("NO_VERDICT", code)


def test_without_calibration_there_is_a_score_but_no_verdict() -> None:
    judged = judge(0.3, heat(), GOOD, None, PLACE, WINDOW)
    assert (judged.verdict, judged.code) == ("NO_VERDICT", Code.UNCALIBRATED)
    assert judged.score == 0.3
    assert judged.threshold is None


def test_regions_are_boxes_in_the_camera_frame_largest_first() -> None:
    heatmap = heat((2, 2, 3, 2, 0.8), (40, 10, 8, 4, 0.9), (60, 30, 1, 1, 0.99))
    judged = judge(0.6, heatmap, GOOD, CALIBRATION, PLACE, WINDOW)
    assert [r.box for r in judged.regions] == [(180, 70, 16, 8), (104, 54, 6, 4)]
    assert [r.area for r in judged.regions] == [128, 24]
    assert judged.regions[0].score == pytest.approx(0.9)
    assert judged.mask.sum() == 255 * (32 + 6)
    assert judged.mask[30, 60] == 0


def test_an_ng_always_lists_its_largest_region() -> None:
    judged = judge(
        0.6, heat((5, 5, 1, 1, 0.3), (20, 20, 2, 2, 0.29)), GOOD, CALIBRATION, PLACE, WINDOW
    )
    assert judged.verdict == "NG"
    assert [r.area for r in judged.regions] == [16]
    assert (judged.mask == 255).sum() == 4


def test_measure_tells_a_dark_and_a_smeared_picture() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    dark, flat = sharp // 20, np.full_like(sharp, 120)
    assert measure(dark).brightness < 0.1 * measure(sharp).brightness
    assert measure(flat).contrast == 0
    assert measure(flat).sharpness == 0
    assert measure(sharp).sharpness > 1000
