"""Photographs of a board by a camera that is known."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.geometry.board import Board, draw
from edge.vision.lens import Lens
from tests.support.plane_view import FRAME, LENS, photograph

CHARUCO = Board(9, 7, 20, 15, "4X4_50")
CHESS = Board(10, 7, 20)
DOTS = 6


def pose(
    tilt: tuple[float, float, float], at_mm: tuple[float, float], distance_mm: float
) -> NDArray[np.float64]:
    """Homography from the board's mm to ideal pixels: `at_mm` of the camera's axis its middle."""
    turn = cv2.Rodrigues(np.radians(tilt))[0]
    middle = turn @ (90.0, 70.0, 0.0)
    place = np.array([*at_mm, distance_mm]) - middle
    matrix = np.column_stack([turn[:, 0], turn[:, 1], place])
    return np.asarray(np.array(LENS.camera_matrix) @ matrix, np.float64)


POSES = [
    pose((0, 0, 0), (0, 0), 320), pose((30, 0, 5), (10, 0), 330), pose((-28, 10, -4), (0, 10), 340),
    pose((5, 32, 0), (-10, 0), 330), pose((0, -30, 8), (10, 0), 330),
    pose((20, 20, 2), (-70, -40), 380), pose((-20, 20, -6), (70, -40), 380),
    pose((20, -22, 0), (-70, 45), 380), pose((-22, -20, 12), (70, 45), 380),
    pose((10, -10, 40), (0, 0), 360),
]  # fmt: skip


def view(
    board: Board, to_pixels: NDArray[np.float64], lens: Lens | None = LENS
) -> NDArray[np.uint8]:
    """The camera's frame of a printed board, BGR."""
    # The page has a square of white around the board.
    gray = photograph(_page(board), DOTS, (-board.square_mm, -board.square_mm), to_pixels, lens)
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)


@lru_cache
def _page(board: Board) -> NDArray[np.uint8]:
    return draw(board, DOTS)


@lru_cache
def views(board: Board) -> list[NDArray[np.uint8]]:
    """Ten views all over the frame, tilted to all sides."""
    return [view(board, to_pixels) for to_pixels in POSES]


__all__ = ["CHARUCO", "CHESS", "FRAME", "LENS", "POSES", "pose", "view", "views"]
