"""Lens, plane and millimetres: there and back, straight lines, known places."""

import contextlib
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.base.validation import first_cause
from edge.vision.crops import corrected_crop, heatmap_on_crop
from edge.vision.fit import Fit
from edge.vision.geometry import Geometry, GeometryError, read_geometry
from edge.vision.judge import find_regions
from edge.vision.lens import Lens, project
from edge.vision.placement import Placement
from edge.vision.polygon import crosses_itself
from edge.vision.rectify import Warp
from edge.vision.roi import masks_of
from tests.support.plane_view import FRAME, LENS, measured, photograph, plane

SEEN = Geometry(frame=FRAME, lens=LENS)
FACTORS = st.floats(-0.25, 0.25)


@given(FACTORS, st.floats(-0.05, 0.05), st.floats(-25, 25), st.floats(-25, 25))
@settings(max_examples=40, deadline=None)
def test_every_point_of_the_frame_goes_there_and_back(
    k1: float, k2: float, tilt_x: float, tilt_y: float
) -> None:
    lens = Lens(camera_matrix=LENS.camera_matrix, distortion=(k1, k2, 0.001, -0.001))
    correction = measured(plane(tilt_x, tilt_y), lens).correction
    assert correction is not None
    points = correction.grid(9).reshape(-1, 2)
    back = correction.to_frame(correction.to_corrected(points))
    assert np.abs(back - points).max() < 1e-4


@given(st.integers(0, 63), st.integers(0, 63), st.integers(1, 64), st.integers(1, 64),
       st.sampled_from([None, SEEN, measured(plane())]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_boxes_and_points_agree_between_map_and_frame(
    x: int, y: int, width: int, height: int, geometry: Geometry | None
) -> None:
    """The box in the frame holds the box's corners, and they come back to where they were."""
    box = (x, y, min(width, 64 - x), min(height, 64 - y))
    crop = (100, 60, 400, 330)
    _, placement = Fit(64, 64, "area", crop, geometry)(np.zeros((*FRAME[::-1], 3), np.uint8))
    left, top, wide, high = placement.box_to_frame(box)
    assert left >= 0
    assert top >= 0
    assert left + wide <= FRAME[0]
    assert top + high <= FRAME[1]
    corners = np.array([(left, top), (left + wide, top + high)], np.float64)
    inside = placement.points_to_model(corners)
    assert (inside[0] <= np.array(box[:2]) + 0.5).all()
    assert (inside[1] >= np.array(box[:2]) + box[2:] - 0.5).all()


@given(st.tuples(st.integers(0, 60), st.integers(0, 40)), st.integers(33, 400),
       st.integers(33, 300), st.booleans())  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_without_lens_and_plane_the_picture_is_bit_for_bit_the_same(
    corner: tuple[int, int], width: int, height: int, gray: bool
) -> None:
    shape = (400, 500) if gray else (400, 500, 3)
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    crop = (*corner, width, height)
    plain, where = Fit(64, 96, "area", crop)(image)
    scaled = Geometry(mm_per_pixel=0.2)
    again, there = Fit(64, 96, "area", crop, scaled)(image)
    assert (plain == again).all()
    assert where == Placement(crop, 64, 96)
    assert where.box_to_mm((0, 0, 96, 64)) is None
    mm = there.box_to_mm((0, 0, 96, 64))
    assert mm == pytest.approx([side * 0.2 for side in crop])
    assert there.pixel_mm2() == pytest.approx(width * height * 0.04 / (64 * 96))


@pytest.mark.parametrize("gray", [True, False])
def test_a_lens_that_does_nothing_changes_nothing(gray: bool) -> None:
    """The remap of an undistorted frame is nearly the plain picture: no half pixel creeps in."""
    shape = FRAME[::-1] if gray else (*FRAME[::-1], 3)
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 10)
    image = np.asarray(cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX), np.uint8)  # type: ignore[call-overload]
    none = Geometry(
        frame=FRAME, lens=Lens(camera_matrix=LENS.camera_matrix, distortion=(0, 0, 0, 0))
    )
    for crop in (None, (80, 48, 480, 384), (0, 0, 33, 480), (3, 5, 637, 475), (0, 0, 100, 90)):
        plain, _ = Fit(128, 160, "area", crop)(image)
        same, _ = Fit(128, 160, "area", crop, none)(image)
        assert np.abs(plain.astype(int) - same).max() <= 4
        assert np.abs(plain.astype(int).mean() - same.mean()) < 0.2


@pytest.mark.parametrize(("down", "across"), [(1, 2), (2, 1), (2, 2), (3, 1), (2, 3)])
def test_a_geometry_makes_frames_smaller_by_averages(down: int, across: int) -> None:
    """Whatever method of OpenCV's is the fastest: no pixel is passed over."""
    image = np.random.default_rng(1).integers(0, 256, (64 * down, 64 * across), np.uint8)
    same = np.indices((64, 64), np.float32)[::-1]
    maps = cv2.convertMaps(same[0], same[1], cv2.CV_16SC2)
    warp = Warp((0, 0, 64 * across, 64 * down), (64, 64), (maps[0], maps[1]))
    mean = image.reshape(64, down, 64, across).mean(axis=(1, 3))
    assert np.abs(warp(image) - mean).max() <= 1


def test_straight_lines_are_straight_again() -> None:
    """At 256x256 they stray by half a pixel (RMS) as taken, by a seventh at most when fitted."""
    per_mm, flat = 4.0, np.full((1200, 1600), 235, np.uint8)
    for x in range(100, 1600, 200):
        cv2.line(flat, (x, 0), (x, 1199), (20,), 12)
    frame = photograph(flat, per_mm, (-200, -150), plane())
    crop = (5, 5, 630, 470)
    plain, _ = Fit(256, 256, crop=crop)(frame)
    fitted, _ = Fit(256, 256, crop=crop, geometry=measured(plane()))(frame)
    assert _bend(plain[..., 0]) > 0.5
    assert _bend(fitted[..., 0]) < 0.15


def _bend(picture: np.ndarray) -> float:
    """How far the dark lines (nearly upright) stray from straight ones, in pixels, RMS."""
    columns = np.arange(picture.shape[1])
    strays = []
    dark = 235 - picture.astype(float).clip(0, 235)
    for middle in _lines(dark[128]):
        rows = range(128, 250)
        found = {}
        for way in (rows, range(127, 6, -1)):
            at = float(middle)
            for row in way:
                near = np.abs(columns - at) <= 7
                weight = dark[row] * near
                if weight.sum() < 300:
                    break
                at = float((columns * weight).sum() / weight.sum())
                found[row] = at
        if len(found) > 200:
            y, x = np.array(list(found)), np.array(list(found.values()))
            strays.append(x - np.polyval(np.polyfit(y, x, 1), y))
    assert len(strays) >= 3
    return max(float(np.sqrt((stray**2).mean())) for stray in strays)


def _lines(row: np.ndarray) -> list[int]:
    peaks = [
        i for i in range(12, len(row) - 12) if row[i] > 80 and row[i] == row[i - 6 : i + 7].max()
    ]
    return [p for i, p in enumerate(peaks) if i == 0 or p - peaks[i - 1] > 6]


@pytest.mark.parametrize("at", [(0.0, 0.0), (60.0, 40.0), (-70.0, 35.0), (-55.0, -45.0)])
def test_a_defect_of_known_place_and_size_comes_back_in_mm(at: tuple[float, float]) -> None:
    """10 x 6 mm, anywhere on the tilted plane: within the worth of one pixel of the map."""
    size, per_mm = (10.0, 6.0), 5.0
    flat = np.full((1200, 1500), 235, np.uint8)
    x, y = (round((at[i] + (150, 120)[i]) * per_mm) for i in (0, 1))
    flat[y : y + round(size[1] * per_mm), x : x + round(size[0] * per_mm)] = 0
    frame = photograph(flat, per_mm, (-150, -120), plane())
    fitted, placement = Fit(256, 256, "area", (20, 20, 600, 440), measured(plane()))(frame)
    heatmap = ((235 - fitted[..., 0].astype(np.float32)) / 235).clip(0, 1)
    (region, *others) = find_regions(heatmap, 0.5, 4, placement)[1]
    pixel = placement.box_to_mm((0, 0, 1, 1))
    assert not [other for other in others if other.score > 0.9]
    assert region.box_mm is not None
    assert region.area_mm2 is not None
    assert pixel is not None
    wide, high = pixel[2:]
    assert region.box_mm == pytest.approx((*at, *size), abs=max(wide, high))
    assert region.area_mm2 == pytest.approx(60, abs=(10 * high + 6 * wide))
    # And in the camera's frame the box holds what is dark there.
    left, top, width, height = region.box
    rows, columns = np.nonzero(frame < 118)
    near = (np.abs(columns - left - width / 2) < 40) & (np.abs(rows - top - height / 2) < 40)
    assert abs(columns[near].min() - left) <= 3
    assert abs(rows[near].max() + 1 - top - height) <= 3


def test_a_tilted_region_covers_its_own_pixels() -> None:
    """A pixel of the map is worth more camera pixels where the plane is near."""
    _, placement = Fit(64, 64, "area", None, measured(plane(-25, 0)))(
        np.zeros((*FRAME[::-1], 3), np.uint8)
    )
    shares = [placement.frame_pixels((30, row, 2, 2)) for row in (1, 31, 61)]
    assert shares == sorted(shares)
    assert shares[2] > 1.1 * shares[0]


def test_a_frame_of_another_size_is_refused() -> None:
    fit = Fit(64, 64, "area", None, SEEN)
    with pytest.raises(ValueError, match="geometry was measured for 640x480"):
        fit(np.zeros((512, 640, 3), np.uint8))


SQUARE = ((100, 100), (300, 100), (300, 300), (100, 300))


@pytest.mark.parametrize(
    ("polygon", "why"),
    [
        (SQUARE[:2], "2 corners"),
        ((), "0 corners"),
        (((100, 100), (300, 300), (300, 100), (100, 300)), "crosses"),
        (((0, 0), (10, 0), (5, 0), (5, 5)), "crosses"),
        (((0, 0), (10, 0), (10, 10), (0, 0), (0, 10)), "crosses"),
        (((0, 0), (0, 0), (10, 10), (0, 10)), "crosses"),
        (((100, 100), (100.5, 100), (100.5, 100.5)), "no area"),
        (((100, 100), (200, 200), (300, 300)), "crosses"),
        (((100, 100), (700, 100), (300, 300)), "beyond 0,0,640,480"),
        (((-1, 100), (300, 100), (300, 300)), "beyond"),
        (tuple((float(i), float(i * i % 97)) for i in range(300)), "300 corners"),
    ],
)
def test_a_polygon_without_sense_is_refused_in_one_line(
    polygon: tuple[tuple[float, float], ...], why: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Geometry(frame=FRAME, regions_of_interest={"rim": polygon})
    line = first_cause(caught.value)
    assert why in line
    assert "rim" in line
    assert "\n" not in line


@given(st.lists(st.tuples(st.integers(0, 640), st.integers(0, 480)), max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_polygon_is_refused_or_has_a_mask(points: list[tuple[int, int]]) -> None:
    refused = ""
    try:
        geometry = Geometry(frame=FRAME, lens=LENS, regions_of_interest={"a": tuple(points)})
    except ValidationError as error:
        refused = first_cause(error)
    if refused:
        assert "region of interest 'a'" in refused
        return
    _, placement = Fit(64, 64, "area", None, geometry)(np.zeros((*FRAME[::-1], 3), np.uint8))
    mask = masks_of(geometry, placement)["a"]
    assert mask.any()
    assert not crosses_itself(np.array(points, np.float64))


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(0, 1)), min_size=3, max_size=20))
def test_a_star_shaped_polygon_never_crosses_itself(spokes: list[tuple[float, float]]) -> None:
    angles = np.arange(len(spokes)) * 2 * np.pi / len(spokes)
    lengths = np.array([length for length, _ in spokes])
    corners = np.column_stack([lengths * np.cos(angles), lengths * np.sin(angles)])
    assert not crosses_itself(corners)


def test_a_region_beyond_the_crop_is_refused() -> None:
    """What is not seen cannot be inspected."""
    geometry = Geometry(regions_of_interest={"rim": SQUARE})
    fit = Fit(64, 64, "area", (150, 50, 300, 300), geometry)
    with pytest.raises(ValueError, match="'rim' reaches beyond 150,50,300,300"):
        fit(np.zeros((480, 640, 3), np.uint8))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"lens": LENS}, "give 'frame'"),
        ({"frame": (0, 480)}, "cannot be 0x480"),
        ({"frame": FRAME, "plane": ((0, 0, 0), (0, 0, 0), (0, 0, 0))}, "horizon"),
        ({"frame": FRAME, "plane": ((-0.1, 0, 0), (0, 0.1, 0), (0, 0, 1))}, "mirrors"),
        ({"frame": FRAME, "plane": ((0.1, 0, 0), (0, 0.1, 0), (0.01, 0, -1))}, "horizon"),
        ({"frame": FRAME, "lens": {"camera_matrix": LENS.camera_matrix,
                                   "distortion": (-3.0, 0, 0, 0)}}, "folds"),
        ({"frame": FRAME, "lens": {"camera_matrix": LENS.camera_matrix,
                                   "distortion": (0, 0, 0)}}, "coefficients"),
        ({"frame": FRAME, "lens": {"camera_matrix": ((1, 2, 3), (0, 1, 0), (0, 0, 1)),
                                   "distortion": (0, 0, 0, 0)}}, "camera matrix is"),
        ({"frame": FRAME, "plane": ((1e300, 0, 0), (0, 1, 0), (0, 0, 1))}, "no number above"),
        ({"frame": FRAME, "plane": ((1e8, 0, 0), (0, 1, 0), (0, 0, 1))}, "cannot show 6.4e+10"),
        ({"mm_per_pixel": 1e300}, "less than or equal"),
        ({"mm_per_pixel": 0}, "greater than 0"),
        ({"mm_per_pixel": float("inf")}, "finite"),
        ({"millimetres": 1}, "millimetres"),
        ({"regions_of_interest": {"a b": SQUARE}}, "cannot be a region's name"),
        ({"regions_of_interest": {f"r{i}": SQUARE for i in range(33)}}, "32 items"),
    ],
)  # fmt: skip
def test_a_geometry_without_sense_is_refused_in_one_line(
    fields: dict[str, object], why: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Geometry.model_validate(fields)
    assert why in first_cause(caught.value)
    assert "\n" not in first_cause(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"plane": 3}', "\x00\xff", '{"mm_per_pixel": NaN}']
)
def test_rubbish_in_the_file_is_one_line_with_its_mend(tmp_path: Path, text: str) -> None:
    path = tmp_path / "geometry.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(GeometryError, match="draem station") as caught:
        read_geometry(path)
    assert "\n" not in str(caught.value)


def test_a_geometry_survives_its_file(tmp_path: Path) -> None:
    whole = measured(plane()).model_copy(update={"regions_of_interest": {"rim": SQUARE}})
    path = tmp_path / "geometry.json"
    path.write_text(whole.model_dump_json())
    assert read_geometry(path) == whole
    with pytest.raises(GeometryError, match="cannot be read"):
        read_geometry(tmp_path / "none.json")


def test_maps_and_truths_go_to_the_frame_and_back() -> None:
    """A spot of the map lies on the frame where `to_frame` says, and is seen at its place again."""
    geometry, crop = measured(plane()), (60, 40, 500, 400)
    _, placement = Fit(256, 256, "area", crop, geometry)(np.zeros((*FRAME[::-1], 3), np.uint8))
    heatmap = np.zeros((256, 256), np.float32)
    heatmap[40:60, 180:220] = 1
    laid = np.zeros(FRAME[::-1], np.bool_)
    laid[40:440, 60:560] = heatmap_on_crop(heatmap, placement) > 0.5
    rows, columns = np.nonzero(laid)
    left, top, width, height = placement.box_to_frame((180, 40, 40, 20))
    assert (columns.min(), rows.min()) == pytest.approx((left, top), abs=1.5)
    assert (columns.max() + 1, rows.max() + 1) == pytest.approx(
        (left + width, top + height), abs=1.5
    )
    back = corrected_crop(laid, placement)
    assert back.shape == (400, 500)
    rows, columns = np.nonzero(back)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    truth = (180 * 500 / 256, 40 * 400 / 256, 220 * 500 / 256, 60 * 400 / 256)
    assert found == pytest.approx(truth, abs=3)
    plain = Placement(crop, 256, 256)
    assert corrected_crop(laid, plain).shape == (400, 500)
    assert heatmap_on_crop(heatmap, plain).shape == (400, 500)


def test_a_point_further_away_than_numbers_go_is_nowhere() -> None:
    far = project(np.array([[0, 1e6, 0], [0, 0, 0], [0, 0, 1e-300]]), np.array([[0.0, 600.0]]))
    assert np.isnan(far).any()
    assert not np.isinf(far).any()


NUMBERS = st.sampled_from([0.0, 1, -1, 1e-300, 1e300, 0.1, 320, 810, 1e6, -0.2, 1e-6, 1e-4])


@given(st.lists(NUMBERS, min_size=9, max_size=9), st.lists(NUMBERS, min_size=4, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_numbers_are_refused_or_serve(plane: list[float], distortion: list[float]) -> None:
    """What was let in never fails on the line: every box has a place, an area and millimetres."""
    rows = (plane[:3], plane[3:6], plane[6:])
    lens = {"camera_matrix": LENS.camera_matrix, "distortion": distortion}
    for fields in ({"plane": rows}, {"lens": lens}, {"lens": lens, "plane": rows}):
        geometry = None
        with contextlib.suppress(ValidationError):
            geometry = Geometry.model_validate({"frame": FRAME, **fields})
        if geometry is None:
            continue
        _, placement = Fit(32, 32, geometry=geometry)(np.zeros((*FRAME[::-1], 3), np.uint8))
        for box in ((0, 0, 1, 1), (31, 31, 1, 1), (0, 31, 32, 1), (3, 3, 20, 20)):
            assert math.isfinite(placement.frame_pixels(box))
            assert min(placement.box_to_frame(box)[2:]) >= 1
            mm = placement.box_to_mm(box)
            assert mm is None or all(map(math.isfinite, mm))
