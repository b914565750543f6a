"""The board: its description, its print, and finding it in a picture."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.geometry.board import Board, draw, find, parse_board, print_board
from edge.base.errors import DraemError
from edge.vision.geometry import GeometryError
from tests.support.boards import CHARUCO


@pytest.mark.parametrize(
    "board", [CHARUCO, Board(6, 5, 10), Board(6, 8, 12.5, 9, "5X5_100")], ids=str
)
def test_a_printed_calibration_board_has_its_size(board: Board, tmp_path: Path) -> None:
    """Found again in the file, its squares are as many mm as its stated resolution says."""
    path = tmp_path / "board.png"
    width, height = print_board(board, path)
    data = path.read_bytes()
    place = data.index(b"pHYs") + 4
    across, down, unit = struct.unpack(">IIB", data[place : place + 9])
    assert across == down
    assert unit == 1
    page = cv2.imread(str(path))
    assert page is not None
    assert page.shape[1] / across * 1000 == pytest.approx(width, abs=1)
    assert page.shape[0] / down * 1000 == pytest.approx(height, abs=1)
    found = find(board, np.asarray(page, np.uint8))
    assert not isinstance(found, str)
    assert len(found.numbers) == (board.columns - 1) * (board.rows - 1)
    mm = found.pixels / across * 1000
    assert np.ptp(mm, axis=0) == pytest.approx(np.ptp(found.board_mm, axis=0), abs=0.1)


def test_the_old_charuco_pattern_is_found_too() -> None:
    """Boards with an even number of rows that were printed with OpenCV before 4.6."""
    board = Board(9, 8, 20, 15, "4X4_50")
    old = board.charuco()
    old.setLegacyPattern(True)
    page = np.asarray(old.generateImage((900, 800), marginSize=30), np.uint8)
    found = find(board, page)
    assert not isinstance(found, str)
    assert len(found.numbers) == 56


@pytest.mark.parametrize(
    "text",
    [
        "", "charuco", "charuco:9x7", "charuco:9x7:20", "charuco:9x7:15:20", "charuco:9x7:20:0",
        "charuco:3x7:20:15", "charuco:99x7:20:15", "charuco:axb:20:15", "charuco:9x7:nan:15",
        "charuco:9x7:20:15:NONE", "charuco:20x20:20:15:4X4_50", "chessboard:9x7", "dots:9x7:20",
        "chessboard:9x7:20:15", "chessboard:9x7:-1", "chessboard:9x7:inf", "charuco:9x7:20:nan",
        "charuco:9x7:20:15:4X4_50:x",
    ],
)  # fmt: skip
def test_a_board_without_sense_is_refused(text: str) -> None:
    with pytest.raises(GeometryError) as caught:
        parse_board(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"(charuco|chessboard):[0-9x.:A-Z_-]{0,30}"))
@settings(deadline=None)
def test_any_board_text_is_a_board_or_an_error(text: str) -> None:
    try:
        board = parse_board(text)
    except DraemError:
        return
    assert parse_board(str(board)) == board


def test_the_page_names_the_board_and_its_scale() -> None:
    page = draw(CHARUCO)
    assert (page[-180:] < 128).sum() > 500
