"""The board that a station is measured with: its description, finding it, printing it."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.files import write_atomic
from edge.vision.geometry import GeometryError

DOTS_PER_MM = 12
MOST_SQUARES = 60
LARGEST_MM = 2000
FEWEST_CORNERS = 12
DICTIONARY = "4X4_50"
HOW = (
    "write charuco:COLUMNSxROWS:SQUARE_MM:MARKER_MM[:DICTIONARY] or "
    "chessboard:COLUMNSxROWS:SQUARE_MM; columns and rows are squares"
)


@dataclass(frozen=True)
class Board:
    """`columns` x `rows` squares of `square_mm`; markers of `marker_mm` from `dictionary`.

    A chessboard has no markers: it must be seen whole.
    """

    columns: int
    rows: int
    square_mm: float
    marker_mm: float = 0.0
    dictionary: str = ""

    def __str__(self) -> str:
        sides = f"{self.columns}x{self.rows}:{self.square_mm:g}"
        if not self.dictionary:
            return f"chessboard:{sides}"
        return f"charuco:{sides}:{self.marker_mm:g}:{self.dictionary}"

    def charuco(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's own. Raises GeometryError where the dictionary has too few markers."""
        number = getattr(cv2.aruco, f"DICT_{self.dictionary}", None)
        if number is None:
            known = ", ".join(n[5:] for n in dir(cv2.aruco) if n.startswith("DICT_"))
            raise GeometryError(f"there is no dictionary {self.dictionary}: choose from {known}")
        dictionary = cv2.aruco.getPredefinedDictionary(number)
        needed, there = self.columns * self.rows // 2, len(dictionary.bytesList)
        if needed > there:
            raise GeometryError(
                f"{self} needs {needed} markers, {self.dictionary} has {there}: "
                "name a larger dictionary, such as 4X4_250"
            )
        size = (self.columns, self.rows)
        return cv2.aruco.CharucoBoard(size, self.square_mm, self.marker_mm, dictionary)


@dataclass(frozen=True, eq=False)
class BoardCorners:
    """Inner corners of a board: their numbers, places on the board [N, 2] in mm, in the frame.

    Frame pixels count from the outer corner of the first one.
    """

    numbers: NDArray[np.int64]
    board_mm: NDArray[np.float64]
    pixels: NDArray[np.float64]


def parse_board(text: str) -> Board:
    """A board from its description. Raises GeometryError."""
    kind, *fields = text.split(":")
    try:
        columns, rows = (int(side) for side in fields[0].lower().split("x"))
        sizes = [float(field) for field in fields[1 : 3 if kind == "charuco" else 2]]
        square_mm, marker_mm = sizes if kind == "charuco" else (*sizes, 0.0)
    except (ValueError, IndexError):
        raise GeometryError(f"--board {text} is no board: {HOW}") from None
    if kind not in ("charuco", "chessboard") or len(fields) > {"charuco": 4, "chessboard": 2}[kind]:
        raise GeometryError(f"--board {text} is no board: {HOW}")
    if not (4 <= columns <= MOST_SQUARES and 4 <= rows <= MOST_SQUARES):
        raise GeometryError(f"--board {text}: 4 to {MOST_SQUARES} squares each way are needed")
    if not 0 < square_mm <= LARGEST_MM or not marker_mm < square_mm:
        raise GeometryError(f"--board {text}: squares must be larger than markers and than 0 mm")
    if kind == "chessboard":
        return Board(columns, rows, square_mm)
    if not marker_mm > 0:
        raise GeometryError(f"--board {text}: markers must be larger than 0 mm")
    named = fields[3] if len(fields) == 4 else DICTIONARY
    board = Board(columns, rows, square_mm, marker_mm, named.upper().removeprefix("DICT_"))
    board.charuco()
    return board


def find(board: Board, image: NDArray[np.uint8]) -> BoardCorners | str:
    """The board's corners in a picture, or why they cannot be used."""
    gray = (
        image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    )
    try:
        numbers, corners = (_charuco if board.dictionary else _chessboard)(board, gray)
    except cv2.error:
        return "the board cannot be found in it"
    if len(numbers) == 0:
        seen = " whole" if not board.dictionary else ""
        return f"the board is not seen{seen}: check --board, light and focus"
    if len(numbers) < FEWEST_CORNERS:
        return f"only {len(numbers)} corners of the board are seen, {FEWEST_CORNERS} are needed"
    across = board.columns - 1
    places = np.stack([numbers % across + 1, numbers // across + 1], axis=1) * board.square_mm
    if np.linalg.matrix_rank(places - places.mean(axis=0)) < 2:
        return "the corners that are seen lie in one line"
    return BoardCorners(numbers, places.astype(np.float64), corners + 0.5)


Corners = tuple[NDArray[np.int64], NDArray[np.float64]]
NONE: Corners = np.zeros(0, np.int64), np.zeros((0, 2))


def _charuco(board: Board, gray: NDArray[np.uint8]) -> Corners:
    """Boards with an even number of rows have two patterns, of old and new OpenCV: try both."""
    best = NONE
    for legacy in (False, True)[: 2 - board.rows % 2]:
        charuco = board.charuco()
        charuco.setLegacyPattern(legacy)
        corners, numbers, _, _ = cv2.aruco.CharucoDetector(charuco).detectBoard(gray)
        if numbers is not None and len(numbers) > len(best[0]):
            best = np.asarray(numbers, np.int64).ravel(), np.float64(corners).reshape(-1, 2)
    return best


def _chessboard(board: Board, gray: NDArray[np.uint8]) -> Corners:
    inner = (board.columns - 1, board.rows - 1)
    flags = cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_NORMALIZE_IMAGE
    found, corners = cv2.findChessboardCornersSB(gray, inner, flags=flags)
    if not found or corners is None:
        return NONE
    return np.arange(inner[0] * inner[1]), np.asarray(corners, np.float64).reshape(-1, 2)


def draw(board: Board, dots_per_mm: int = DOTS_PER_MM) -> NDArray[np.uint8]:
    """The board as a picture, a square of white around it, its name and a scale of 50 mm below."""
    side = round(board.square_mm * dots_per_mm)
    if board.dictionary:
        size = (board.columns * side, board.rows * side)
        squares = np.asarray(board.charuco().generateImage(size), np.uint8)
    else:
        cells = np.indices((board.rows, board.columns)).sum(axis=0) % 2 * 255
        squares = np.kron(cells, np.ones((side, side))).astype(np.uint8)
    margin, foot = side, max(side, 12 * dots_per_mm)
    page = cv2.copyMakeBorder(
        squares, margin, foot, margin, margin, cv2.BORDER_CONSTANT, value=(255,)
    )
    base, thick = page.shape[0] - 3 * dots_per_mm, max(1, dots_per_mm // 6)
    end = margin + 50 * dots_per_mm
    cv2.line(page, (margin, base), (end, base), (0,), thick)
    for x in (margin, end):
        cv2.line(page, (x, base - dots_per_mm), (x, base + dots_per_mm), (0,), thick)
    text = f"{board}   print at 100 %: the line is 50 mm"
    scale = dots_per_mm / 8
    place = (margin, base - 2 * dots_per_mm)
    cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0,), thick)
    return np.asarray(page, np.uint8)


def print_board(board: Board, path: Path) -> tuple[int, int]:
    """Write the board as a PNG that states its scale; returns its width and height in mm."""
    page = draw(board)
    ok, data = cv2.imencode(".png", page)
    if not ok:
        raise GeometryError(f"{path} cannot be encoded as PNG: choose a smaller board")
    write_atomic(path, _with_scale(data.tobytes(), DOTS_PER_MM * 1000))
    height, width = page.shape
    return round(width / DOTS_PER_MM), round(height / DOTS_PER_MM)


def _with_scale(png: bytes, dots_per_metre: int) -> bytes:
    """A pHYs chunk behind IHDR (PNG specification, 11.3.4.3); OpenCV writes none."""
    body = b"pHYs" + struct.pack(">IIB", dots_per_metre, dots_per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]
