"""Parts are found whatever their pose, others are refused, and places are turned back."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.events.codes import Code
from edge.vision.aligner import Aligner, make_aligner
from edge.vision.alignment import Alignment, NotAligned
from edge.vision.crops import corrected_crop
from edge.vision.fit import Fit, Refused, prepare
from edge.vision.frame import Box, Frame
from edge.vision.geometry import Geometry
from edge.vision.judge import find_regions, judge, measure
from edge.vision.lens import Lens
from edge.vision.placement import Placement
from edge.vision.roi import masks_of
from edge.vision.seen import judged_heat, seen_mask
from edge.vision.turned_back import placement_in_frame, turned_back
from tests.support.minimal_station import calibrated_for
from tests.support.moved_parts import (
    FRAME,
    Draw,
    applied,
    bracket,
    gear,
    motion,
    nothing,
    photograph,
    washer,
)

CROP = (180, 140, 280, 200)
POSES = [(0, 0, 0), (3, 10, -8), (-47, 40, 30), (90, -50, 20), (135, 0, 50), (179, -30, -40)]
POINTS = np.array([(215.0, 185), (425, 185), (425, 295), (245, 220), (395, 265)])
LENS = Lens(camera_matrix=((800, 0, 322), (0, 800, 239), (0, 0, 1)), distortion=(-0.2, 0.05, 0, 0))
PLANE = ((0.5, 0.02, 3), (0.01, 0.5, 2), (0.00004, 0.00008, 1))


def aligned(
    draw: Draw = bracket, crop: Box | None = CROP, turn: float = 180, **rest: object
) -> Fit:
    """A fit that aligns to a photograph of the part as it is drawn."""
    plain = Fit(160, 224, crop=crop, geometry=rest.get("geometry"))  # type: ignore[arg-type]
    limits = Alignment(turn=turn, shift=rest.get("shift", 0.3))
    return replace(plain, aligner=make_aligner(limits, plain(photograph(draw, seed=99))[0]))


def spots(heatmap: NDArray[np.float32]) -> NDArray[np.float64]:
    """The middle of the heat, from the outer corner of the first pixel."""
    y, x = np.nonzero(heatmap > 0.5)
    return np.array([[x.mean() + 0.5, y.mean() + 0.5]])


@pytest.mark.parametrize(("turn", "x", "y"), POSES)
def test_align_finds_a_part_to_less_than_a_pixel(turn: float, x: float, y: float) -> None:
    fit, moved = aligned(), motion(turn, x, y)
    fitted, placement = fit(photograph(bracket, moved, seed=3))
    shown = placement.points_to_frame(placement.of_reference.points_to_model(POINTS))
    assert np.abs(shown - applied(moved, POINTS)).max() < 1
    back = placement.points_to_model(applied(moved, POINTS))
    assert np.abs(back - placement.of_reference.points_to_model(POINTS)).max() < 1
    reference = replace(fit, aligner=None)(photograph(bracket, seed=3))[0]
    assert np.abs(fitted.astype(int) - reference).mean() < 6, "it looks like one that was not moved"
    assert placement.motion is not None
    assert placement.motion.quality > 0.9


def test_align_is_as_exact_without_a_crop_and_for_gray_frames() -> None:
    fit, moved = aligned(crop=None), motion(60, 20, -10)
    frame = cv2.cvtColor(photograph(bracket, moved), cv2.COLOR_BGR2GRAY)
    placement = fit(np.asarray(frame, np.uint8))[1]
    shown = placement.points_to_frame(placement.of_reference.points_to_model(POINTS))
    assert np.abs(shown - applied(moved, POINTS)).max() < 1.5


def test_align_quality_separates_right_from_wrong_parts() -> None:
    fit, rng = aligned(), np.random.default_rng(0)

    def qualities(draw: Draw) -> list[float]:
        found = []
        for seed in range(4):
            moved = motion(rng.uniform(-180, 180), *rng.uniform(-40, 40, 2))
            try:
                placement = fit(photograph(draw, moved, seed))[1]
            except NotAligned as error:
                found.append(error.quality)
            else:
                assert placement.motion is not None
                found.append(placement.motion.quality)
        return found

    assert min(qualities(bracket)) > 0.95
    assert max(qualities(gear) + qualities(washer) + qualities(nothing)) < 0.3


@pytest.mark.parametrize("draw", [gear, washer, nothing])
def test_align_refuses_another_part_and_an_empty_belt(draw: Draw) -> None:
    refused = prepare(Frame(photograph(draw), 1, 0), aligned())
    assert isinstance(refused, Refused)
    assert refused.code is Code.NOT_ALIGNED
    assert refused.quality is not None
    assert refused.quality < 0.5


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_align_refuses_an_even_picture(gray: int) -> None:
    refused = prepare(Frame(np.full((480, 640, 3), gray, np.uint8), 1, 0), aligned())
    assert isinstance(refused, Refused)
    assert refused.code is Code.NOT_ALIGNED


def test_align_refuses_a_part_beyond_its_limits() -> None:
    fit = aligned(turn=20, shift=0.1)
    fit(photograph(bracket, motion(18, 20, 0)))
    with pytest.raises(NotAligned):
        fit(photograph(bracket, motion(40)))
    with pytest.raises(NotAligned):
        fit(photograph(bracket, motion(0, 45, 0)))


def test_align_refuses_a_part_that_the_frame_cuts_and_takes_one_at_its_border() -> None:
    fit = aligned(shift=0.5)
    fitted, placement = fit(photograph(bracket, motion(0, 120, 0)))
    seen = seen_mask(placement)
    assert seen is None, "the crop is in the frame"
    fitted, placement = fit(photograph(bracket, motion(90, 0, 115)))
    seen = seen_mask(placement)
    assert seen is not None, "some of the crop's belt is not"
    assert 0 < (~seen).mean() < 0.2
    assert np.abs(fitted[~seen].astype(int) - 60).max() < 30, (
        "it is filled with what the belt is like"
    )
    with pytest.raises(NotAligned, match="beyond the camera's frame"):
        fit(photograph(bracket, motion(90, 0, 138)))


def test_align_needs_only_the_regions_of_interest_in_the_frame() -> None:
    region = ((215.0, 185.0), (300.0, 185.0), (300.0, 255.0), (215.0, 255.0))
    geometry = Geometry(regions_of_interest={"hole": region})
    fit = aligned(shift=0.5, geometry=geometry)
    moved = motion(90, 0, 138)  # the bracket's right end is cut, the region is not
    with pytest.raises(NotAligned):
        replace(fit, geometry=None)(photograph(bracket, moved))
    placement = fit(photograph(bracket, moved))[1]
    masks = masks_of(geometry, placement)
    assert (masks["hole"] == masks_of(geometry, placement.of_reference)["hole"]).all()
    with pytest.raises(NotAligned):
        fit(photograph(bracket, motion(-90, 0, 138)))


def test_align_a_round_part_is_never_refused_and_keeps_one_turn() -> None:
    fit, middle = aligned(washer), np.array([[320.5, 240.5]])
    turns = []
    for seed in range(6):
        moved = motion(60 * seed, 5 * seed - 20, 10)
        placement = fit(photograph(washer, moved, seed))[1]
        assert placement.motion is not None
        turns.append(placement.motion.turn)
        found = placement.points_to_frame(placement.of_reference.points_to_model(middle))
        assert np.abs(found - applied(moved, middle)).max() < 1
    assert np.abs(turns).max() < 6


def test_align_heat_beyond_the_frame_does_not_count() -> None:
    placement = aligned(shift=0.5)(photograph(bracket, motion(90, 0, 115)))[1]
    seen = seen_mask(placement)
    assert seen is not None
    heat = np.where(seen, 0.1, 0.9).astype(np.float32)
    score, inside = judged_heat(0.9, heat, placement, 1)
    assert score == pytest.approx(0.1)
    assert inside.max() == pytest.approx(0.1)
    product = calibrated_for(threshold=0.5)
    found = judge(
        0.9, heat, measure(np.zeros((160, 224, 3), np.uint8)), product.calibration, placement, 1
    )
    assert (found.verdict, found.regions) == ("OK", [])
    heat[seen] = 0.9
    found = judge(
        0.9, heat, measure(np.zeros((160, 224, 3), np.uint8)), product.calibration, placement, 1
    )
    assert found.verdict == "NG"
    heat[np.nonzero(~seen)[0][0], np.nonzero(~seen)[1][0]] = np.nan
    found = judge(
        0.9, heat, measure(np.zeros((160, 224, 3), np.uint8)), product.calibration, placement, 1
    )
    assert found.code is Code.NOT_FINITE, "a network that fails is never believed"


@pytest.mark.parametrize(
    ("turn", "x", "y", "corrected"),
    [(-47, 40, 30, False), (90, -50, 20, False), (-47, 40, 30, True), (179, -30, -40, True)],
)
def test_align_boxes_masks_and_millimetres_lie_where_the_defect_is(
    turn: float, x: float, y: float, corrected: bool
) -> None:
    """A defect of the reference's place is found at the moved one, in pixels, mm and mm2."""
    geometry = (
        Geometry(frame=FRAME, lens=LENS, plane=PLANE) if corrected else Geometry(mm_per_pixel=0.5)
    )
    fit = aligned(geometry=geometry)
    if corrected:  # a part moves on the plane, so its picture is drawn in mm and seen by the lens
        assert geometry.correction is not None
        centre = geometry.correction.to_corrected(np.array([[320.0, 240]]))[0]
        frame, moved = seen_on_the_plane(geometry, turn, (x / 4, y / 4), centre)
    else:
        matrix = motion(turn, x, y)
        frame = photograph(bracket, matrix)
        moved = lambda points: applied(matrix, points)  # noqa: E731
    placement = fit(frame)[1]
    defect = np.array([(360.0, 200.0), (380.0, 200.0), (380.0, 215.0), (360.0, 215.0)])
    inside = np.round(placement.of_reference.points_to_model(defect) - 0.5).astype(np.int32)
    heat = np.zeros((fit.height, fit.width), np.float32)
    cv2.fillPoly(heat, [inside], 1.0)
    mask, (region,) = find_regions(heat, 0.5, 1, placement)
    there = moved(defect)
    low, high = there.min(axis=0), there.max(axis=0)
    box = np.array(region.box)
    assert np.abs(box[:2] - low).max() < 8
    assert np.abs(box[:2] + box[2:] - high).max() < 8
    assert region.area == pytest.approx(300, rel=0.25)
    assert region.area_mm2 == pytest.approx(75, rel=0.25)
    assert region.box_mm is not None
    in_mm = geometry.correction.to_corrected(there) if geometry.correction else there * 0.5
    assert np.abs(np.array(region.box_mm[:2]) - in_mm.min(axis=0)).max() < 4
    where, upright = placement_in_frame(placement), turned_back(mask, placement)
    assert upright.shape == (where.height, where.width)
    middle = where.points_to_frame(spots((upright / 255).astype(np.float32)))
    assert np.abs(middle - there.mean(axis=0)).max() < 2
    assert np.abs(spots(heat) - placement.points_to_model(there.mean(axis=0)[None])).max() < 1.5


def seen_on_the_plane(geometry: Geometry, turn: float, shift: tuple[float, float], centre):  # type: ignore[no-untyped-def]
    """A frame of the bracket moved on the plane, and where it takes points of the frame."""
    correction = geometry.correction
    assert correction is not None
    angle = np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        on_plane = (correction.to_corrected(points) - centre) @ turned.T + centre + shift
        return correction.to_frame(on_plane)

    def back(points: NDArray[np.float64]) -> NDArray[np.float64]:
        on_plane = (correction.to_corrected(points) - centre - shift) @ turned + centre
        return correction.to_frame(on_plane)

    # Every 20th point is computed: this is slow, and the lens bends the rest smoothly.
    grid = np.stack(np.meshgrid(np.linspace(0, 640, 33), np.linspace(0, 480, 25)), axis=-1)
    coarse = (back(grid.reshape(-1, 2)).reshape(25, 33, 2) - 0.5).astype(np.float32)
    x, y = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    source = cv2.remap(coarse, (x / 20).astype(np.float32), (y / 20).astype(np.float32),
                       cv2.INTER_LINEAR)  # fmt: skip
    picture = photograph(bracket)
    shown = cv2.remap(
        picture, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(shown, np.uint8), moved


def test_align_no_marked_pixel_of_a_mask_is_lost() -> None:
    placement = aligned()(photograph(bracket, motion(31, 20, 10)))[1]
    for at in ((40, 40), (100, 171), (159, 223), (0, 0)):
        mask = np.zeros((160, 224), np.uint8)
        mask[at] = 255
        assert turned_back(mask, placement).any()


def test_align_the_truth_of_a_moved_part_is_cropped_like_its_picture() -> None:
    moved = motion(-70, 30, -20)
    placement = aligned()(photograph(bracket, moved))[1]

    def hole(image: NDArray[np.uint8]) -> None:
        image[:] = 0
        cv2.circle(image, (395, 265), 10, (255, 255, 255), -1)

    truth = photograph(hole, moved)[..., 0] > 128
    y, x = np.nonzero(corrected_crop(truth, placement))
    assert np.abs((x.mean() + 180 - 395, y.mean() + 140 - 265)).max() < 2


def test_align_the_same_settings_and_reference_are_the_same_aligner() -> None:
    one, other = aligned(), aligned()
    assert one == other
    assert hash(one.aligner) == hash(other.aligner)
    assert one != aligned(turn=90)
    assert isinstance(one.aligner, Aligner)
    changed = one.aligner.reference.copy()
    changed[0, 0] += 1
    assert one != replace(one, aligner=replace(one.aligner, reference=changed))


def test_align_a_placement_without_motion_is_unchanged() -> None:
    placement = Placement((10, 20, 100, 50), 64, 96)
    mask = np.zeros((64, 96), np.uint8)
    assert placement_in_frame(placement) is placement
    assert turned_back(mask, placement) is mask
    assert seen_mask(placement) is None


def test_align_an_even_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing that a part could be found by"):
        make_aligner(Alignment(turn=180, shift=0.2), np.full((64, 64, 3), 90, np.uint8))
