"""Where the model's input lies in the camera's frame, in both directions."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from edge.vision.frame import Box
from edge.vision.lens import Correction, Points
from edge.vision.motion import Motion
from edge.vision.polygon import area, outline

Rectangle = tuple[float, float, float, float]
"""x, y, width, height; in mm, or in pixels where no plane was measured."""


@dataclass(frozen=True)
class Placement:
    """The model's input of height x width shows `crop`, a part of the camera's frame.

    With a `correction` it shows the smallest upright rectangle of the corrected image that holds
    the crop: where the lens bends the crop's edges, a little more than the crop. `unit_mm` is the
    size of a unit of the corrected image, or of a camera pixel; None where it was not measured.

    With a `motion` the part was brought upright: the input shows what lies in the frame where the
    motion takes the crop. Regions of interest lie in the frame as the reference picture has it.
    """

    crop: Box
    height: int
    width: int
    correction: Correction | None = None
    unit_mm: float | None = None
    motion: Motion | None = None

    @property
    def of_reference(self) -> "Placement":
        """Where the input of the reference picture lies, which was not moved."""
        return self if self.motion is None else replace(self, motion=None)

    @property
    def bounds(self) -> Rectangle:
        """What the input shows, in units of the corrected image, or in camera pixels.

        With a motion: what it shows of the reference.
        """
        if self.correction is None:
            return self.crop
        return _corrected_bounds(self.correction, self.crop)

    def to_corrected(self, points: Points) -> Points:
        """From pixels of the model's input to the corrected image."""
        points = points * self._scale() + self.bounds[:2]
        return points if self.motion is None else self.motion.to_frame(points)

    def points_to_frame(self, points: Points) -> Points:
        """From pixels of the model's input to those of the camera's frame."""
        corrected = self.to_corrected(points)
        return corrected if self.correction is None else self.correction.to_frame(corrected)

    def points_to_model(self, points: Points) -> Points:
        """From pixels of the camera's frame to those of the model's input."""
        if self.correction is not None:
            points = self.correction.to_corrected(points)
        if self.motion is not None:
            points = self.motion.to_reference(points)
        return np.asarray((points - self.bounds[:2]) / self._scale(), np.float64)

    def box_to_frame(self, box: Box) -> Box:
        """A box of the model's input in pixels of the camera's frame, at least one pixel large."""
        if self.motion is not None:
            return _box_around(self.points_to_frame(outline(*box)), self.motion.frame)
        if self.correction is not None:
            return _box_around(self.points_to_frame(outline(*box)), self.correction.frame)
        x, y, width, height = box
        scale_x, scale_y = self._scale()
        left, top = round(x * scale_x), round(y * scale_y)
        right, bottom = round((x + width) * scale_x), round((y + height) * scale_y)
        first_x, first_y = self.crop[:2]
        return first_x + left, first_y + top, max(1, right - left), max(1, bottom - top)

    def box_to_mm(self, box: Rectangle) -> Rectangle | None:
        """A box of the model's input in mm from the corner of the (corrected) frame's first pixel.

        With a motion the upright box around the moved one. None where there is no scale.
        """
        if self.unit_mm is None:
            return None
        if self.motion is not None:
            corners = self.to_corrected(outline(*box)) * self.unit_mm
            (left, top), (right, bottom) = (
                corners.min(axis=0).tolist(),
                corners.max(axis=0).tolist(),
            )
            return left, top, right - left, bottom - top
        left, top = (side * self.unit_mm for side in self.bounds[:2])
        across, down = (side * self.unit_mm for side in self._scale())
        x, y, width, height = box
        return left + x * across, top + y * down, width * across, height * down

    def pixel_mm2(self) -> float | None:
        """The area of one pixel of the model's input; None where there is no scale."""
        one = self.of_reference.box_to_mm((0, 0, 1, 1))
        return None if one is None else one[2] * one[3]

    def frame_pixels(self, box: Box) -> float:
        """The mean number of camera pixels that one pixel of the model's input in `box` shows."""
        if self.correction is None:
            return self.crop[2] * self.crop[3] / (self.width * self.height)
        share = abs(area(self.points_to_frame(outline(*box)))) / (box[2] * box[3])
        # Beyond the plane's horizon, outside the frame, there are no pixels to count.
        return share if np.isfinite(share) else 0.0

    def _scale(self) -> tuple[float, float]:
        """Units of the corrected image, or camera pixels, of one pixel of the model's input."""
        return self.bounds[2] / self.width, self.bounds[3] / self.height


def pixel_centres(width: int, height: int) -> Points:
    """[N, 2] centres of all pixels of an image, row by row."""
    grid = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack(grid, axis=-1).reshape(-1, 2)


@lru_cache(maxsize=8)
def _corrected_bounds(correction: Correction, crop: Box) -> Rectangle:
    corrected = correction.to_corrected(outline(*crop))
    low, high = corrected.min(axis=0), corrected.max(axis=0)
    (left, top), (width, height) = low.tolist(), (high - low).tolist()
    return left, top, width, height


def _box_around(points: Points, frame: tuple[int, int]) -> Box:
    """The box around points, inside the frame, at least one pixel large; all of it for none."""
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) == 0:
        return 0, 0, *frame
    limits = np.array(frame)
    low = np.clip(np.round(points.min(axis=0)), 0, limits - 1)
    high = np.clip(np.round(points.max(axis=0)), low + 1, limits)
    (left, top), (right, bottom) = low.astype(int).tolist(), high.astype(int).tolist()
    return left, top, right - left, bottom - top
