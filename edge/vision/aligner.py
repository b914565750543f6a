"""Bring a part upright: find it by the reference picture, then warp what surrounds its place."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.alignment import Alignment, NotAligned
from edge.vision.frame import Box, Size
from edge.vision.motion import Affine, Motion, chain, of_indices, scaled, turned_growth
from edge.vision.part_outline import part_mask
from edge.vision.placement import Placement
from edge.vision.pose_search import SIDE, Picture, PoseSearch, detail
from edge.vision.roi import Mask
from edge.vision.seen import frame_mask, seen_mask

BLUR = 0.45
"""Standard deviation of the blur before a picture is made smaller, times the factor."""
TOLERANCE = 0.5
"""Degrees by which a turn may be above the limit: so much is lost in measuring it."""

LEAST_DETAIL = 2.0
"""Gray levels, standard deviation: a reference with less is empty, or out of focus."""
LONGEST_SIDE, SHORTEST_SIDE = 1024, 32
"""Of the reference picture."""
MOST_STRETCHED = 100
"""Length of a crop's longer side by that of its shorter one: the search grid has 128 pixels."""

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Aligner:
    """Finds parts by `reference`, the network's input at `reference_size`: uint8 [H, W, 3] BGR."""

    settings: Alignment
    reference: Image

    @cached_property
    def digest(self) -> str:
        """Of the settings and the reference: the same only for aligners that do the same."""
        known = (self.settings.model_dump_json(), str(self.reference.shape))
        return hashlib.sha256("".join(known).encode() + self.reference.tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Aligner) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def part(self) -> Mask:
        """[H, W]: the part in the reference, and all that is not plain background."""
        return part_mask(self.reference) > 0

    def surroundings(self, crop: Box, frame: Size) -> Box:
        """What of the frame can show a part that lies as far from its place as is allowed."""
        x, y, width, height = crop
        reach = self.settings.shift * max(width, height)
        across, down = turned_growth(width, height, self.settings.turn)
        more_x, more_y = int(np.ceil(across / 2 + reach)), int(np.ceil(down / 2 + reach))
        left, top = max(0, x - more_x), max(0, y - more_y)
        right, bottom = min(frame[0], x + width + more_x), min(frame[1], y + height + more_y)
        return left, top, right - left, bottom - top

    def motion(self, around: Image, where: Placement, crop: Placement, frame: Size) -> Motion:
        """How the part lies in a picture of its surroundings, which is placed at `where`.

        Raises NotAligned where it is not found, or lies beyond the limits.
        """
        left, top, width, height = crop.bounds
        longer = max(width, height)
        search, scale = _search(self, (width, height)), SIDE / longer
        (x, y), (rows, columns) = search.margin, search.reference.shape
        size = columns + 2 * x, rows + 2 * y
        to_units = scaled((1 / scale, 1 / scale), (left - x / scale, top - y / scale))
        matrix = chain(_into(where), to_units)
        seen = _warped(_frame_seen(where, frame), matrix, size, cv2.INTER_NEAREST)
        pose = search.find(detail(_reduced(around, matrix, size)), seen)
        if pose.quality < self.settings.quality:
            raise NotAligned(
                f"no part is found that is like the reference picture (quality {pose.quality:.2f}, "
                f"at least {self.settings.quality:.2f} is needed)",
                pose.quality,
            )
        if abs(pose.turn) > self.settings.turn + TOLERANCE:
            raise NotAligned(
                f"the part is turned by {pose.turn:.1f} degrees, and {self.settings.turn:g} are "
                "allowed",
                pose.quality,
            )
        shift = (pose.x / scale, pose.y / scale)
        farthest = max(map(abs, shift)) / longer
        if farthest > self.settings.shift:
            raise NotAligned(
                f"the part is shifted by {farthest:.0%}, and {self.settings.shift:.0%} are allowed",
                pose.quality,
            )
        # The search turns about the middle of its own grid, whose sides are whole numbers.
        centre = left + columns / 2 / scale, top + rows / 2 / scale
        return Motion(pose.turn, shift, centre, frame, pose.quality)


def reference_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the reference picture of an input of this size, which may be large."""
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    rows, columns = (max(SHORTEST_SIDE, round(side * scale)) for side in (height, width))
    return rows, columns


def check_extent(width: float, height: float) -> None:
    """Raise ValueError where a crop of these sides is too narrow to find a part in it."""
    if max(width, height) > MOST_STRETCHED * min(width, height):
        raise ValueError(
            f"{width:g} x {height:g} is too narrow to find a part in it: one side may be "
            f"{MOST_STRETCHED} times as long as the other; choose another crop"
        )


def make_aligner(settings: Alignment, fitted: Image) -> Aligner:
    """From the reference picture as the network's input.

    Raises ValueError where it shows nothing that a part could be found by.
    """
    height, width = reference_size(*fitted.shape[:2])
    reference = cv2.resize(fitted, (width, height), interpolation=cv2.INTER_AREA)
    made = Aligner(settings, np.asarray(reference, np.uint8))
    if float(_search(made, (width, height)).reference.std()) < LEAST_DETAIL:
        raise ValueError("it shows nothing that a part could be found by: take another one")
    return made


def check_seen(placement: Placement, needed: Iterable[Mask], quality: float) -> None:
    """Raise NotAligned where something of a `needed` mask [H, W] lies beyond the camera's frame."""
    seen = seen_mask(placement)
    if seen is not None and any((mask & ~seen).any() for mask in needed):
        raise NotAligned("a piece of the part lies beyond the camera's frame", quality)


def upright(around: Image, where: Placement, placement: Placement) -> Image:
    """The model's input from a picture of the surroundings, which is placed at `where`.

    What lies beyond the picture repeats its edge.
    """
    assert placement.motion is not None
    left, top, width, height = placement.bounds
    size = placement.width, placement.height
    to_units = scaled((width / size[0], height / size[1]), (left, top))
    matrix = chain(_into(where), placement.motion.matrix, to_units)
    return _warped(around, matrix, size, cv2.INTER_LINEAR)


def _into(where: Placement) -> Affine:
    """From units of the corrected image to pixels of a picture that is placed at `where`."""
    left, top, width, height = where.bounds
    scale = where.width / width, where.height / height
    return scaled(scale, (-left * scale[0], -top * scale[1]))


def _warped(picture: Image, matrix: Affine, size: Size, method: int) -> Image:
    """`matrix` leads from the result to the picture."""
    border = cv2.BORDER_CONSTANT if method == cv2.INTER_NEAREST else cv2.BORDER_REPLICATE
    flags = method | cv2.WARP_INVERSE_MAP
    made = cv2.warpAffine(picture, of_indices(matrix), size, flags=flags, borderMode=border)
    return np.asarray(made, np.uint8)


def _reduced(picture: Image, matrix: Affine, size: Size) -> Picture:
    """A picture (HWC BGR) in gray, made smaller without aliasing; `matrix` leads to it."""
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    factors = np.abs(matrix[:, :2]).max(axis=1)
    wholes = np.maximum(1, factors // 2).astype(int).tolist()
    if max(wholes) > 1:  # averaging by whole factors first: OpenCV does it fast
        across, down = gray.shape[1] // wholes[0], gray.shape[0] // wholes[1]
        whole = gray[: down * wholes[1], : across * wholes[0]]
        gray = cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA)
        matrix = chain(scaled((1 / wholes[0], 1 / wholes[1]), (0, 0)), matrix)
        factors = factors / wholes
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), BLUR * float(factors[0]),
                              sigmaY=BLUR * float(factors[1]))  # fmt: skip
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    made = cv2.warpAffine(
        smooth, of_indices(matrix), size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(made, np.float32)


@lru_cache(maxsize=8)
def _search(aligner: Aligner, extent: tuple[float, float]) -> PoseSearch:
    """The search for a reference that shows `extent` (width and height in units)."""
    scale, (height, width) = SIDE / max(extent), aligner.reference.shape[:2]
    columns, rows = (max(8, 4 * round(side * scale / 4)) for side in extent)
    matrix = scaled((width / (extent[0] * scale), height / (extent[1] * scale)), (0, 0))
    reach = int(np.ceil(aligner.settings.shift * SIDE))
    shown = detail(_reduced(aligner.reference, matrix, (columns, rows)))
    return PoseSearch(shown, aligner.settings.turn, reach)


@lru_cache(maxsize=8)
def _frame_seen(where: Placement, frame: Size) -> Image:
    return np.where(frame_mask(where, frame), 255, 0).astype(np.uint8)
