"""A frame of the camera, and the one function that prepares it for the network."""

import logging
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.events.event import Code
from edge.vision.frame import Frame, Size
from edge.vision.geometry import Geometry
from edge.vision.lens import Points
from edge.vision.polygon import Polygon, area, flaw
from edge.vision.rectify import View, outline, view_of, warp_of

log = logging.getLogger(__name__)

Interpolation = Literal["area", "linear"]
BoxMm = tuple[float, float, float, float]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

_METHODS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}


@dataclass(frozen=True)
class Placement:
    """Where the model's input lies in the camera's frame: `crop` was resized to height x width.

    With a `view` it was corrected as well. `unit_mm` are the millimetres of a unit of the corrected
    picture, or of a camera pixel without a view; None where nobody measured them.
    """

    crop: Box
    height: int
    width: int
    view: View | None = None
    unit_mm: float | None = None

    def to_frame(self, box: Box) -> Box:
        """A box of the model's map in pixels of the camera frame, at least one pixel large."""
        if self.view is not None:
            return _around(self.view.to_frame(outline(*box)), self.view.correction.frame)
        x, y, width, height = box
        scale_x, scale_y = self.crop[2] / self.width, self.crop[3] / self.height
        left, top = round(x * scale_x), round(y * scale_y)
        right, bottom = round((x + width) * scale_x), round((y + height) * scale_y)
        return (
            self.crop[0] + left,
            self.crop[1] + top,
            max(1, right - left),
            max(1, bottom - top),
        )

    def to_model(self, points: Points) -> Points:
        """Points [N, 2] of the camera frame in pixels of the model's map."""
        if self.view is not None:
            return self.view.from_frame(points)
        left, top, wide, high = self.seen()
        scale = (wide / self.width, high / self.height)
        return np.asarray((points - (left, top)) / scale, np.float64)

    def to_mm(self, box: BoxMm) -> BoxMm | None:
        """A box of the model's map in mm, from the corner of the (corrected) frame's first pixel.

        None where there is no scale.
        """
        if self.unit_mm is None:
            return None
        left, top, wide, high = self.seen()
        across, down = wide / self.width * self.unit_mm, high / self.height * self.unit_mm
        x, y, width, height = box
        corner = left * self.unit_mm + x * across, top * self.unit_mm + y * down
        return (*corner, width * across, height * down)

    def pixel_mm2(self) -> float | None:
        """The area of one pixel of the model's map; None where there is no scale."""
        one = self.to_mm((0, 0, 1, 1))
        return None if one is None else one[2] * one[3]

    def covers(self, box: Box) -> float:
        """Camera pixels, on the whole, of one pixel of the model's map in `box`."""
        if self.view is None:
            return self.crop[2] * self.crop[3] / (self.width * self.height)
        share = abs(area(self.view.to_frame(outline(*box)))) / (box[2] * box[3])
        # Beyond the plane's horizon, outside of the frame, there are no pixels to count.
        return share if np.isfinite(share) else 0.0

    def seen(self) -> BoxMm:
        """What the map shows, in units of the corrected picture or in camera pixels."""
        if self.view is None:
            return self.crop
        return self.view.left, self.view.top, self.view.wide, self.view.high


def _around(points: Points, frame: tuple[int, int]) -> Box:
    """The box around points, inside the frame, at least one pixel large; all of it for none."""
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) == 0:
        return 0, 0, *frame
    limits = np.array(frame)
    low = np.clip(np.round(points.min(axis=0)), 0, limits - 1)
    high = np.clip(np.round(points.max(axis=0)), low + 1, limits)
    (left, top), (right, bottom) = low.astype(int).tolist(), high.astype(int).tolist()
    return left, top, right - left, bottom - top


@lru_cache(maxsize=8)
def _check_polygons(polygons: tuple[tuple[str, Polygon], ...], crop: Box) -> None:
    """Raise ValueError where a region of interest is not wholly seen."""
    for name, polygon in polygons:
        if wrong := flaw(polygon, crop):
            raise ValueError(f"the region of interest '{name}' {wrong}, or choose another crop")


@dataclass(frozen=True)
class Fit:
    """How a product's frames become the model's input; training and serving use the same.

    `crop` (x, y, width, height in frame pixels) is None for the whole frame. A geometry's lens and
    plane straighten what is seen; without them nothing but crop and resize happens.
    """

    height: int
    width: int
    interpolation: Interpolation = "area"
    crop: Box | None = None
    geometry: Geometry | None = None

    def __call__(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Placement]:
        """HWC BGR uint8 of height x width, and its placement. Gray is replicated.

        Raises ValueError where the crop lies outside the image, a region of interest outside the
        crop, or where the geometry holds for frames of another size.
        """
        rows, columns = image.shape[:2]
        placement = self.place((columns, rows))
        x, y, width, height = placement.crop
        part = image[y : y + height, x : x + width]
        if placement.view is not None:
            fitted = warp_of(placement.view, self.interpolation == "area")(image)
        else:
            size = (self.width, self.height)
            fitted = np.asarray(cv2.resize(part, size, interpolation=self._method(part)), np.uint8)
        if fitted.ndim == 2:
            fitted = np.asarray(cv2.cvtColor(fitted, cv2.COLOR_GRAY2BGR), np.uint8)
        return np.ascontiguousarray(fitted, np.uint8), placement

    def place(self, frame: Size) -> Placement:
        """Where the model's input lies in frames of this size. Raises ValueError as a call does."""
        columns, rows = frame
        x, y, width, height = crop = self.crop or (0, 0, columns, rows)
        if x + width > columns or y + height > rows:
            raise ValueError(
                f"the frame is {columns}x{rows}, but the product's crop "
                f"{x},{y},{width},{height} reaches beyond it"
            )
        plain = Placement(crop, self.height, self.width)
        if self.geometry is None:
            return plain
        wanted, correction = self.geometry.frame, self.geometry.correction
        if wanted is not None and wanted != frame:
            raise ValueError(
                f"the frame is {frame[0]}x{frame[1]}, but the station's geometry holds for "
                f"{wanted[0]}x{wanted[1]}"
            )
        _check_polygons(self.geometry.polygons, crop)
        size = (self.height, self.width)
        view = view_of(correction, crop, size) if correction else None
        return replace(plain, view=view, unit_mm=self.geometry.unit_mm)

    def _method(self, part: NDArray[np.uint8]) -> int:
        """Averaging has no meaning where an image grows: there OpenCV would take the nearest."""
        grows = part.shape[0] < self.height or part.shape[1] < self.width
        return cv2.INTER_LINEAR if grows else _METHODS[self.interpolation]


class Prepared(NamedTuple):
    """A frame as the engine takes it, HWC BGR uint8, and where it lies in the camera's."""

    fitted: NDArray[np.uint8]
    placement: Placement


def prepare(frame: Frame, fit: Fit) -> Prepared | Code:
    """What can be judged, or why it cannot be."""
    if frame.code is not Code.NONE:
        return frame.code
    try:
        return Prepared(*fit(frame.image))
    except (ValueError, cv2.error) as error:
        log.error("frame %d: %s", frame.frame_id, error)
        return Code.WRONG_FORMAT
