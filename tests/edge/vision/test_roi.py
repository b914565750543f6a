"""Regions of interest: each has its own score and threshold, and nothing outside counts."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.camera.simulated.renderer import PartRenderer
from edge.engine import Inference, runtimes
from edge.events.codes import Code
from edge.station.inspector import Inspector, Stopwatch
from edge.vision.calibration import Calibration, Range
from edge.vision.fit import Fit
from edge.vision.frame import Frame
from edge.vision.geometry import Geometry
from edge.vision.judge import Conditions, Judgement, judge
from edge.vision.placement import Placement
from edge.vision.polygon import Polygon
from edge.vision.roi import masks_of, pooled_maximum, roi_scores
from tests.conftest import Plant
from tests.support.minimal_station import PRODUCT, MeanEngine
from trainer.network.network import anomalous
from trainer.network.network import pooled_maximum as by_torch

WIDE = Range(low=0, high=1e9)
GOOD = Conditions(100.0, 40.0, 200.0)
FRAME = (128, 64)
PLACE = Placement((0, 0, 128, 64), 64, 128)
LEFT: Polygon = ((4, 4), (40, 4), (40, 60), (4, 60))
RIGHT: Polygon = ((80, 4), (120, 4), (120, 60), (80, 60))
WINDOW = 5
BOTH = Geometry(frame=FRAME, regions_of_interest={"left": LEFT, "right": RIGHT})


def calibration(geometry: Geometry | None, **thresholds: float) -> Calibration:
    """Not validated: what a file could not hold must not let a defect pass either."""
    made = Calibration(
        threshold=0.5, pixel_threshold=0.5, min_area=1, brightness=WIDE, contrast=WIDE,
        sharpness=WIDE, false_reject_rate=0.01, scores=[], created="",
    )  # fmt: skip
    return made.model_copy(update={"geometry": geometry, "roi_thresholds": thresholds})


def judged(heatmap: np.ndarray, made: Calibration, score: float = 0.0) -> Judgement:
    return judge(score, heatmap, GOOD, made, PLACE, WINDOW)


def spot(x: int, y: int, heat: float, side: int = 8) -> np.ndarray:
    made = np.zeros((64, 128), np.float32)
    made[y : y + side, x : x + side] = heat
    return made


HEAT = st.floats(0, 1, width=32)
MAPS = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda sides: arrays(np.float32, (32 * sides[0], 32 * sides[1]), elements=HEAT)
)


@given(MAPS, st.sampled_from([1, 3, 5, 11, 21]))
@settings(max_examples=60, deadline=None)
def test_the_whole_map_pooled_here_is_the_score_of_the_network(
    heatmap: np.ndarray, window: int
) -> None:
    logit = torch.from_numpy(heatmap).double().clamp(1e-9, 1 - 1e-9).logit()
    logits = torch.stack([torch.zeros_like(logit), logit])[None]
    mapped = anomalous(logits)
    score = by_torch(mapped, window)
    tolerance = 3e-8 * window**2 + 1e-6  # torch adds a window's pixels in float32
    assert pooled_maximum(mapped[0].numpy(), window) == pytest.approx(float(score), abs=tolerance)
    everything = {"all": np.ones(heatmap.shape, np.bool_)}
    pooled = roi_scores(mapped[0].numpy(), everything, window)["all"]
    assert pooled == pytest.approx(float(score), abs=tolerance)


def test_the_compiled_engine_gives_the_same_score(plant: Plant) -> None:
    """A region of interest around the whole frame has the engine's own score."""
    line, (height, width) = PartRenderer("moulded", 3), plant.product.shape
    whole = ((0, 0), (640, 0), (640, 480), (0, 480))
    geometry = Geometry(regions_of_interest={"all": whole})
    fit = plant.product.fit
    with runtimes.load(plant.product, "openvino") as engine:
        for i in range(6):
            image = line.part(i, defective=i % 2 == 1).image
            assert image.shape[:2] == (480, 640)
            fitted, placement = Fit(height, width, fit.interpolation, fit.crop, geometry)(image)
            score, heatmap = engine.infer(fitted[None])
            masks = masks_of(geometry, placement)
            assert masks["all"].all()
            pooled = roi_scores(heatmap[0], masks, plant.product.manifest.score_window)
            assert pooled["all"] == pytest.approx(float(score[0]), rel=1e-5)


@given(MAPS, st.data())
@settings(max_examples=40, deadline=None)
def test_pooling_a_part_is_pooling_the_masked_whole(
    heatmap: np.ndarray, data: st.DataObject
) -> None:
    mask = data.draw(arrays(np.bool_, heatmap.shape, elements=st.booleans(), fill=st.just(False)))
    mask[data.draw(st.integers(0, 31)), data.draw(st.integers(0, 31))] = True
    whole = pooled_maximum(np.where(mask, heatmap, np.float32(0)), WINDOW)
    assert roi_scores(heatmap, {"a": mask}, WINDOW)["a"] == pytest.approx(whole, abs=1e-6)


@given(HEAT, HEAT, st.floats(0.01, 1), st.floats(0.01, 1))
@settings(deadline=None)
def test_ng_exactly_where_a_region_reaches_its_own_threshold(
    left: float, right: float, left_limit: float, right_limit: float
) -> None:
    heatmap = spot(10, 20, left) + spot(90, 20, right)
    made = calibration(BOTH, left=left_limit, right=right_limit)
    scores = roi_scores(heatmap, masks_of(BOTH, PLACE), WINDOW)
    done = judged(heatmap, made)
    over = scores["left"] >= left_limit or scores["right"] >= right_limit
    assert done.threshold is not None
    assert done.roi is not None
    assert (done.verdict == "NG") == over == (done.score >= done.threshold)
    assert done.score == scores[done.roi]
    assert bool(done.regions) >= over


def test_what_lies_outside_of_all_regions_is_not_seen() -> None:
    made = calibration(BOTH, left=0.1, right=0.1)
    outside = judged(spot(56, 20, 1.0), made, score=0.99)
    assert (outside.verdict, len(outside.regions)) == ("OK", 0)
    assert not outside.mask.any()
    both = judged(spot(56, 20, 1.0) + spot(90, 20, 0.9), made)
    assert (both.verdict, both.roi) == ("NG", "right")
    assert [region.box for region in both.regions] == [(90, 20, 8, 8)]


def test_a_defect_across_the_edge_is_cut_at_it() -> None:
    done = judged(spot(36, 20, 1.0, side=12), calibration(BOTH, left=0.1, right=0.1))
    left, _, width, _ = done.regions[0].box
    assert left == 36
    assert left + width in (40, 41)


def test_low_heat_over_a_low_threshold_shows_the_largest_region_there() -> None:
    """And not the hotter one in the region that is within its own threshold."""
    heatmap = spot(10, 20, 0.3) + spot(90, 20, 0.2)
    done = judged(heatmap, calibration(BOTH, left=0.9, right=0.05))
    assert (done.verdict, done.roi) == ("NG", "right")
    assert [region.box for region in done.regions] == [(90, 20, 8, 8)]


@pytest.mark.parametrize("thresholds", [{}, {"left": 0.1}, {"left": 0.1, "other": 0.1}])
def test_a_region_without_a_threshold_gives_no_verdict(thresholds: dict[str, float]) -> None:
    done = judged(spot(0, 0, 0.0), calibration(BOTH, **thresholds))
    assert (done.verdict, done.code) == ("NO_VERDICT", Code.UNCALIBRATED)
    assert done.roi in BOTH.regions_of_interest


@pytest.mark.parametrize("threshold", [math.nan, 0.0, -1.0])
def test_a_threshold_without_sense_rejects(threshold: float) -> None:
    done = judged(spot(10, 20, 0.4), calibration(BOTH, left=threshold, right=0.9))
    assert done.verdict == "NG"


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("at", [10, 60])
def test_a_nan_anywhere_is_no_verdict(value: float, at: int) -> None:
    heatmap = spot(0, 0, 0.0)
    heatmap[20, at] = value
    done = judged(heatmap, calibration(BOTH, left=0.5, right=0.5))
    assert (done.verdict, done.code) == ("NO_VERDICT", Code.NOT_FINITE)
    finite = spot(0, 0, 0.0)
    assert judged(finite, calibration(BOTH, left=0.5, right=0.5), value).code is Code.NOT_FINITE


def test_masks_are_made_once() -> None:
    again = BOTH.model_copy(deep=True)
    first, second = masks_of(BOTH, PLACE), masks_of(again, PLACE)
    assert first is second


def test_a_pixel_that_the_polygon_only_touches_belongs_to_it() -> None:
    sliver = ((10.2, 10.2), (60.7, 10.3), (60.7, 12.4), (10.2, 11.4))
    mask = masks_of(Geometry(regions_of_interest={"a": sliver}), PLACE)["a"]
    rows, columns = np.nonzero(mask)
    assert (columns.min(), columns.max()) == (10, 60)
    assert (rows.min(), rows.max()) == (10, 12)


def test_a_line_scores_regions_with_the_window_of_its_product() -> None:
    class Spot(MeanEngine):
        def infer(self, batch: np.ndarray) -> Inference:
            heatmap = np.zeros((1, 32, 32), np.float32)
            heatmap[0, 10, 10] = 1
            return Inference(np.ones(1, np.float32), heatmap)

    whole: Polygon = ((0, 0), (32, 0), (32, 32), (0, 32))
    geometry = Geometry(regions_of_interest={"all": whole})
    manifest = PRODUCT.manifest.model_copy(update={"score_window": 5})
    product = replace(PRODUCT, manifest=manifest, calibration=calibration(geometry, all=0.5))
    frame = Frame(np.full((32, 32, 3), 9, np.uint8), 1, 0)
    told = Inspector(Spot(), product).inspect(frame, Stopwatch(0))
    assert told.judgement.score == pytest.approx(1 / 25)
