"""Find where a picture shows a reference, turned and shifted: coarse to fine, with a quality.

Both are compared without slow changes of brightness (`detail`). First at a quarter of the size,
with all turns and shifts at once; the best few again at half of the size; the best of these is
refined by ECC (Evangelidis and Psarakis, 2008).
"""

import contextlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.motion import Affine, chain, moved, of_indices, scaled, turned_growth

Picture = NDArray[np.float32]
PixelType = TypeVar("PixelType", np.uint8, np.float32)

SIDE = 128
"""Pixels of the reference's longer side."""
COARSE, MIDDLE = 4, 2
"""By how much the picture is smaller at the first two levels."""
COARSE_TURN, MIDDLE_TURN = 5.625, 1.875
"""Degrees from one turn to the next: 64 and 192 of them in a full circle."""
CANDIDATES = 5
DETAIL = 0.1
"""Of the longer side: brightness that changes more slowly than this does not count."""
SHORTLIST, REFINED = (1.5, 0.02), 3
ALIKE = (1.2, 0.005)
"""Poses are as good as each other where what they leave unexplained (1 - quality) differs by less
than this factor and this amount: then the one with the smallest turn is taken."""
STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 1e-4)
SMOOTH = 5
FAINT = 0.25
"""Gray levels: detail below this is noise."""


class Pose(NamedTuple):
    """Turn in degrees about the reference's middle, then shift, in pixels of the reference.

    `quality` is the correlation of the details, 1 at most.
    """

    turn: float
    x: float
    y: float
    quality: float


def detail(gray: Picture) -> Picture:
    """What remains without slow changes of brightness, such as shading."""
    slow = reduced(gray, COARSE)  # a wide blur is slow at the whole size
    width = DETAIL * SIDE / COARSE
    blurred = cv2.GaussianBlur(slow, (0, 0), width, borderType=cv2.BORDER_REPLICATE)
    size = gray.shape[1], gray.shape[0]
    return np.asarray(gray - cv2.resize(blurred, size, interpolation=cv2.INTER_LINEAR), np.float32)


def reduced(picture: Picture, factor: int) -> Picture:
    """Smaller by a whole factor, which divides both sides."""
    size = picture.shape[1] // factor, picture.shape[0] // factor
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _alike(poses: list[Pose], factor: float, more: float) -> list[Pose]:
    """The poses that leave no more unexplained than the best, times a factor, and a little."""
    best = min(1 - pose.quality for pose in poses)
    return [pose for pose in poses if 1 - pose.quality <= factor * best + more]


@dataclass(frozen=True, eq=False)
class PoseSearch:
    """Looks for `reference`, the detail [H, W] of a picture; both sides are multiples of 4.

    A picture to search in shows the reference's place with `margin` more on all sides (see there).
    `turn` is the largest turn in degrees, `reach` the largest shift in pixels along each axis.
    """

    reference: Picture
    turn: float
    reach: int

    @cached_property
    def margin(self) -> tuple[int, int]:
        """What a picture shows beyond the reference's place, left and right, above and below."""
        height, width = self.reference.shape
        growth = turned_growth(width, height, self.turn)
        x, y = (4 * int(np.ceil(more / 8)) + self._reach4 * 4 for more in growth)
        return x, y

    @property
    def _reach4(self) -> int:
        return -(-self.reach // COARSE)

    def find(self, picture: Picture, seen: NDArray[np.uint8]) -> Pose:
        """The best pose in a picture's detail; `seen` is 0 where it shows nothing, else 255."""
        picture = np.where(seen > 0, picture, np.float32(0))
        half = reduced(picture, MIDDLE)
        found = [self._better(half, pose) for pose in self._coarse(reduced(picture, COARSE))]
        found = _alike(found, *SHORTLIST)
        found = [max(found, key=lambda p: p.quality), *sorted(found, key=lambda p: abs(p.turn))]
        refined = [self._refined(picture, seen, p) for p in dict.fromkeys(found[:REFINED])]
        return min(_alike(refined, *ALIKE), key=lambda pose: abs(pose.turn))

    @cached_property
    def _turns(self) -> NDArray[np.float64]:
        """The turns of the first level: 0 is one of them."""
        if self.turn >= 180:
            return np.arange(-180, 180, COARSE_TURN)
        count = int(np.ceil(self.turn / COARSE_TURN))
        return np.linspace(-self.turn, self.turn, 2 * count + 1)

    @cached_property
    def _turned(self) -> tuple[Picture, Picture, tuple[int, int]]:
        """The small reference turned by each turn [T, P], its place [T, P], and their size."""
        small = reduced(self.reference, COARSE)
        (height, width), (x, y) = small.shape, (side // COARSE for side in self.margin)
        more = x - self._reach4, y - self._reach4
        size = width + 2 * more[0], height + 2 * more[1]
        made = []
        for turn in self._turns:
            matrix = of_indices(moved(turn, (width / 2, height / 2), more))
            made.append([cv2.warpAffine(p, matrix, size) for p in (small, np.ones_like(small))])
        pictures, places = np.array(made, np.float32).reshape(len(made), 2, -1).swapaxes(0, 1)
        pictures /= np.linalg.norm(pictures, axis=1, keepdims=True) + 1e-6
        return pictures, places, size

    def _coarse(self, small: Picture) -> list[Pose]:
        """The best shift of the best turns, which are no neighbours of each other.

        No turn is always one of them: a part that looks the same in any turn keeps it.
        """
        pictures, places, (width, height) = self._turned
        windows = np.lib.stride_tricks.sliding_window_view(small, (height, width))
        rows, columns = windows.shape[:2]
        flat = windows.reshape(rows * columns, -1)
        energy = places @ (flat * flat).T + places.sum(axis=1)[:, None] * FAINT**2
        scores = (pictures @ flat.T) / np.sqrt(energy)
        best = scores.max(axis=1)
        chosen = [int(np.abs(self._turns).argmin())]
        for i in np.argsort(-best):
            if all(self._apart(i, j) for j in chosen):
                chosen.append(int(i))
            if len(chosen) == CANDIDATES:
                break
        poses = []
        for i in chosen:
            y, x = divmod(int(scores[i].argmax()), columns)
            across, down = (x - columns // 2) * COARSE, (y - rows // 2) * COARSE
            poses.append(Pose(float(self._turns[i]), across, down, float(best[i])))
        return poses

    def _apart(self, one: int, other: int) -> bool:
        distance = abs(one - other)
        return (min(distance, len(self._turns) - distance) if self.turn >= 180 else distance) > 1

    @cached_property
    def _half(self) -> Picture:
        return reduced(self.reference, MIDDLE)

    def _better(self, half: Picture, pose: Pose) -> Pose:
        """The best of the turns and shifts near a pose, in a picture of half the size."""
        reach, found = 2, []
        for turn in pose.turn + MIDDLE_TURN * np.arange(-2, 3):
            upright = self._upright(half, Pose(turn, pose.x, pose.y, 0), MIDDLE, reach)
            scores = cv2.matchTemplate(upright, self._half, cv2.TM_CCORR_NORMED)
            _, best, _, (x, y) = cv2.minMaxLoc(scores)
            angle, limit = np.deg2rad(turn), max(-self.turn, min(self.turn, turn))
            across, down = (x - reach) * MIDDLE, (y - reach) * MIDDLE
            found.append(
                Pose(
                    float(limit if self.turn < 180 else turn),
                    pose.x + float(across * np.cos(angle) - down * np.sin(angle)),
                    pose.y + float(across * np.sin(angle) + down * np.cos(angle)),
                    float(best),
                )
            )
        return max(found, key=lambda p: p.quality, default=pose._replace(quality=0.0))

    def _refined(self, picture: Picture, seen: NDArray[np.uint8], pose: Pose) -> Pose:
        """A pose to a fraction of a pixel, with the quality of what is seen."""
        found = [pose._replace(quality=self._quality(picture, seen, pose))]
        upright = self._upright(picture, pose)
        there = self._upright(seen, pose)
        small = np.eye(2, 3, dtype=np.float32)
        with contextlib.suppress(cv2.error):  # it does not converge: the pose stays as it is
            _, matrix = cv2.findTransformECC(
                self.reference, upright, small, cv2.MOTION_EUCLIDEAN, STEPS, there, SMOOTH
            )
            better = self._composed(pose, np.asarray(matrix, np.float64))
            found.append(better._replace(quality=self._quality(picture, seen, better)))
        return max(found, key=lambda p: p.quality)

    def _composed(self, pose: Pose, indices: Affine) -> Pose:
        """A pose after a small further motion of the reference, in OpenCV's pixels."""
        centre = self._centre()
        half = np.array([0.5, 0.5])
        more = np.column_stack([indices[:, :2], indices[:, 2] + half - indices[:, :2] @ half])
        whole = chain(moved(pose.turn, centre, (pose.x, pose.y)), more)
        turn = np.rad2deg(np.arctan2(whole[1, 0], whole[0, 0]))
        x, y = whole[:, :2] @ np.array(centre) + whole[:, 2] - np.array(centre)
        return Pose(float(turn), float(x), float(y), 0)

    def _quality(self, picture: Picture, seen: NDArray[np.uint8], pose: Pose) -> float:
        """The correlation of the reference with what is seen of it."""
        there = self._upright(seen, pose) > 0
        if there.sum() < there.size / 4:
            return 0.0
        one, other = self.reference[there], self._upright(picture, pose)[there]
        one, other = one - one.mean(), other - other.mean()
        energy = float(one @ one) * (float(other @ other) + FAINT**2 * len(other))
        return float(one @ other) / math.sqrt(max(energy, 1e-6))

    def _centre(self) -> tuple[float, float]:
        height, width = self.reference.shape
        return width / 2, height / 2

    def _upright(
        self, picture: NDArray[PixelType], pose: Pose, level: int = 1, more: int = 0
    ) -> NDArray[PixelType]:
        """What a picture shows of the reference, upright, with `more` pixels on all sides."""
        (height, width), (x, y) = self.reference.shape, self.margin
        size = width // level + 2 * more, height // level + 2 * more
        middle = width / 2 / level, height / 2 / level
        shift = (pose.x + x) / level, (pose.y + y) / level
        matrix = chain(moved(pose.turn, middle, shift), scaled((1, 1), (-more, -more)))
        method = cv2.INTER_NEAREST if picture.dtype == np.uint8 else cv2.INTER_LINEAR
        flags = method | cv2.WARP_INVERSE_MAP
        made = cv2.warpAffine(picture, of_indices(matrix), size, flags=flags)
        return np.asarray(made, picture.dtype)
