"""A station whose product aligns its parts: verdicts, the code 204, and what events say."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.base.errors import ProductError
from edge.camera.capture import CapturedFrame
from edge.engine import Inference
from edge.product.alignment_file import write_reference
from edge.product.product import Product
from edge.station.event_headers import judged_part
from edge.station.inspector import Inspector, JudgedFrame, Stopwatch, check_geometry
from edge.vision import aligner
from edge.vision.aligner import make_aligner
from edge.vision.alignment import Alignment
from edge.vision.fit import Fit
from edge.vision.frame import Frame
from edge.vision.geometry import Geometry
from tests.support.minimal_station import MeanEngine, calibrated_for
from tests.support.moved_parts import FRAME, applied, bracket, gear, motion, nothing, photograph

CROP = (180, 140, 280, 200)
LIMITS = Alignment(turn=180, shift=0.3, quality=0.7)
SPOT = np.array([[262.5, 242.5]])


class BrightIsHot(MeanEngine):
    """White is a defect."""

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        heatmap = (batch.min(axis=3) > 225).astype(np.float32)
        return Inference(heatmap.max(axis=(1, 2)), heatmap)


def station(folder: Path) -> tuple[Inspector, Product]:
    fitted = Fit(160, 224, crop=CROP)(photograph(bracket))[0]
    write_reference(folder, make_aligner(LIMITS, fitted))
    product = replace(calibrated_for(threshold=0.5), path=folder)
    update = {"alignment": LIMITS, "height": 160, "width": 224, "crop": CROP}
    product = replace(product, manifest=product.manifest.model_copy(update=update))
    return Inspector(BrightIsHot(), product), product


def inspected(inspector: Inspector, image: NDArray[np.uint8]) -> JudgedFrame:
    return inspector.inspect(Frame(image, 1, 0), Stopwatch())


def bad(image: NDArray[np.uint8]) -> None:
    """The bracket with a white spot."""
    bracket(image)
    cv2.circle(image, (262, 242), 6, (255, 255, 255), -1)


def test_align_moved_parts_are_judged_and_all_others_get_the_code(tmp_path: Path) -> None:
    inspector, product = station(tmp_path)
    for turn in (0, 170, -95):
        good = inspected(inspector, photograph(bracket, motion(turn, 20, -10)))
        assert good.judgement.verdict == "OK"
        moved = motion(turn, 20, -10)
        found = inspected(inspector, photograph(bad, moved))
        assert found.judgement.verdict == "NG"
        x, y, width, height = found.judgement.regions[0].box
        assert np.abs(applied(moved, SPOT)[0] - (x + width / 2, y + height / 2)).max() < 2
    for draw in (gear, nothing):
        image = photograph(draw, motion(90))
        refused = inspected(inspector, image)
        assert refused.judgement.verdict == "NO_VERDICT"
        header = judged_part(captured(image), refused, product, {})
        assert (header.code.number, header.code.name) == (204, "not_aligned")
        assert header.alignment is not None
        assert header.alignment.quality < 0.7
        assert header.alignment.turn is None


def captured(image: NDArray[np.uint8]) -> CapturedFrame:
    return CapturedFrame(Frame(image, 1, 0), 0)


def test_align_an_event_says_how_the_part_lies_and_its_mask_lies_upright(tmp_path: Path) -> None:
    inspector, product = station(tmp_path)
    moved = motion(35, 20, -10)
    image = photograph(bad, moved)
    judged = inspected(inspector, image)
    header = judged_part(captured(image), judged, product, {})
    mask, heatmap = judged.mask_in_frame(), judged.heatmap_in_frame()
    assert header.mask is not None
    assert header.mask.crop != CROP
    assert mask.shape == (header.mask.height, header.mask.width)
    assert heatmap is not None
    assert heatmap.shape == mask.shape
    x, y, width, height = header.mask.crop
    assert x >= 0
    assert x + width <= FRAME[0]
    rows, columns = np.nonzero(mask)
    middle = (
        (columns.mean() + 0.5) * width / mask.shape[1] + x,
        (rows.mean() + 0.5) * height / mask.shape[0] + y,
    )
    assert np.abs(applied(moved, SPOT)[0] - middle).max() < 2
    assert header.alignment is not None
    assert header.alignment.turn is not None
    assert abs(header.alignment.turn - 35) < 1
    assert header.alignment.shift is not None
    assert np.abs(np.array(header.alignment.shift) - (20, -10)).max() < 1.5


def test_align_a_measured_station_starts_with_an_alignment(tmp_path: Path) -> None:
    """Before the first frame the maps are made on a black frame, in which there is no part."""
    _, product = station(tmp_path)
    geometry = Geometry(frame=FRAME, mm_per_pixel=0.1)
    manifest = product.manifest.model_copy(update={"geometry": geometry})
    check_geometry(replace(product, manifest=manifest))


def test_align_a_station_without_an_alignment_says_nothing_of_one(tmp_path: Path) -> None:
    _, product = station(tmp_path)
    manifest = product.manifest.model_copy(update={"alignment": None})
    plain = replace(product, manifest=manifest)
    image = photograph(bracket)
    judged = inspected(Inspector(BrightIsHot(), plain), image)
    header = judged_part(captured(image), judged, plain, {})
    assert header.alignment is None
    assert header.mask is not None
    assert header.mask.crop == CROP


@pytest.mark.parametrize("regions", [{}, {"hole": ((215, 185), (300, 185), (300, 255))}])
def test_align_what_a_search_needs_is_made_before_the_first_frame(
    tmp_path: Path, regions: dict[str, object]
) -> None:
    _, product = station(tmp_path)
    geometry = Geometry.model_validate({"regions_of_interest": regions})
    update = {"geometry": geometry}
    product = replace(product, manifest=product.manifest.model_copy(update=update))
    aligner._search.cache_clear()
    inspector = Inspector(BrightIsHot(), product)
    made = aligner._search.cache_info().misses
    assert made == 1
    assert product.fit.aligner is not None
    assert "part" in vars(product.fit.aligner), "the reference itself was found"
    frame = photograph(bracket, motion(20, 5, 5))
    assert inspected(inspector, frame).judgement.verdict != "NO_VERDICT"
    assert aligner._search.cache_info().misses == made


def test_align_a_crop_beyond_the_measured_frame_is_one_line(tmp_path: Path) -> None:
    _, product = station(tmp_path)
    update = {"geometry": Geometry(frame=(160, 120), mm_per_pixel=0.1)}
    with pytest.raises(ProductError, match="does not fit it"):
        check_geometry(replace(product, manifest=product.manifest.model_copy(update=update)))
