"""Fitting a frame and finding the way back into it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.area import area_resize
from edge.vision.fit import Fit
from edge.vision.placement import Placement

SIDES = st.integers(32, 300)


@given(SIDES, SIDES, st.booleans())
def test_any_size_and_gray_fit(height: int, width: int, gray: bool) -> None:
    shape = (height, width) if gray else (height, width, 3)
    fitted, placement = Fit(64, 96)(np.full(shape, 77, np.uint8))
    assert fitted.shape == (64, 96, 3)
    assert (fitted == 77).all()
    assert placement.crop == (0, 0, width, height)


def test_the_crop_is_what_is_seen() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:52, 40:104] = 255
    fitted, placement = Fit(32, 64, crop=(40, 20, 64, 32))(image)
    assert (fitted == 255).all()
    assert placement.box_to_frame((0, 0, 64, 32)) == (40, 20, 64, 32)
    assert placement.box_to_frame((32, 16, 1, 1)) == (72, 36, 1, 1)


def test_a_crop_beyond_the_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="reaches beyond"):
        Fit(32, 32, crop=(10, 10, 40, 40))(np.zeros((40, 60, 3), np.uint8))


@given(st.integers(0, 63), st.integers(0, 63), st.integers(1, 64), st.integers(1, 64))
def test_boxes_stay_inside_the_crop(x: int, y: int, width: int, height: int) -> None:
    placement = Placement((17, 5, 333, 41), 64, 64)
    box = (x, y, min(width, 64 - x), min(height, 64 - y))
    left, top, wide, high = placement.box_to_frame(box)
    assert left >= 17
    assert top >= 5
    assert 1 <= wide <= 17 + 333 - left + 1
    assert 1 <= high <= 5 + 41 - top + 1


def test_linear_is_the_authors_plain_resize() -> None:
    import cv2

    image = np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8)
    fitted, _ = Fit(64, 64, "linear")(image)
    assert (fitted == cv2.resize(image, (64, 64))).all()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((600, 901, 3), (256, 201)), ((600, 901, 3), (895, 596)), ((1000, 1203), (300, 70))],
)
def test_rows_weighed_by_products_are_averaged_as_by_opencv(
    shape: tuple[int, ...], size: tuple[int, int]
) -> None:
    """To within one gray level, where OpenCV's own sum lies half-way between two."""
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    part = noise[3:, 5:]  # a crop: its rows do not follow each other in memory
    found = area_resize(part, size).astype(np.int16)
    apart = np.abs(found - cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.001
