"""Simulated sheets: large pictures with cracks of a few pixels."""

import cv2
import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera.open import open_camera
from edge.camera.simulated.sheet import SheetRenderer, _stroke


def test_a_cracked_sheet_is_the_good_one_with_a_thin_crack() -> None:
    sheets, again = SheetRenderer(300, 400, 4), SheetRenderer(300, 400, 4)
    for index in range(6):
        good, bad = sheets.part(index), sheets.part(index, defective=True)
        assert good.image.shape == (300, 400, 3)
        assert (again.part(index, defective=True).image == bad.image).all()
        assert (good.defect, bad.defect) == (None, "crack")
        change = cv2.absdiff(good.image, bad.image)[..., 0]
        assert (change[bad.truth == 0] <= 14).all(), "nothing else has changed"
        assert 100 < np.count_nonzero(bad.truth) < 1500


@pytest.mark.parametrize("width", [2.0, 3.0, 4.0])
def test_a_crack_is_as_wide_as_it_should_be(width: float) -> None:
    ink = _stroke(np.array([[6.0, 6.0], [206.0, 106.0]]), width)
    assert ink.sum() / np.hypot(200, 100) == pytest.approx(width, rel=0.15)


def test_sheets_for_tiles_come_in_the_size_that_is_asked_for() -> None:
    with open_camera("line://sheet?rate=0&parts=1&size=600x500", triggered=False) as camera:
        assert camera.read().image.shape == (500, 600, 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("line://sheet?size=600", "write WIDTHxHEIGHT"),
        ("line://sheet?size=100x600", "sides of 256 to 8192"),
        ("line://machined?size=600x600", "only line://sheet has a size"),
    ],
)
def test_a_size_that_no_line_has_is_one_line(source: str, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        open_camera(source, triggered=False)
