"""The one function that prepares a camera's frame for the network: crop, correct, align, resize."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.events.codes import Code
from edge.vision.aligner import Aligner, check_extent, check_seen, upright
from edge.vision.alignment import NotAligned
from edge.vision.area import area_resize
from edge.vision.frame import Box, Frame, Size
from edge.vision.geometry import Geometry
from edge.vision.placement import Placement
from edge.vision.polygon import Polygon, polygon_error
from edge.vision.rectify import warp_for
from edge.vision.roi import Mask, masks_of

log = logging.getLogger(__name__)

Interpolation = Literal["area", "linear"]


@dataclass(frozen=True)
class Fit:
    """How a product's frames become the model's input; training and serving use the same.

    `crop` (in frame pixels) is None for the whole frame. A geometry's lens and plane correct the
    image; without them nothing but crop and resize happens. An `aligner` brings the part upright.
    """

    height: int
    width: int
    interpolation: Interpolation = "area"
    crop: Box | None = None
    geometry: Geometry | None = None
    aligner: Aligner | None = None

    def __call__(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Placement]:
        """HWC BGR uint8 of height x width, and its placement. Gray is replicated.

        Raises ValueError where the crop lies outside the image, a region of interest outside the
        crop, or where the geometry was measured for frames of another size; NotAligned where there
        is an aligner and it does not find the part.
        """
        rows, columns = image.shape[:2]
        placement = self.place((columns, rows))
        if self.aligner is not None:
            return self._aligned(image, placement, self.aligner)
        if placement.correction is not None:
            fitted = warp_for(placement, self.interpolation == "area")(image)
        else:
            x, y, width, height = placement.crop
            fitted = self._resized(image[y : y + height, x : x + width])
        if fitted.ndim == 2:
            fitted = np.asarray(cv2.cvtColor(fitted, cv2.COLOR_GRAY2BGR), np.uint8)
        return np.ascontiguousarray(fitted, np.uint8), placement

    def _aligned(
        self, image: NDArray[np.uint8], placement: Placement, aligner: Aligner
    ) -> tuple[NDArray[np.uint8], Placement]:
        """Prepare the surroundings of the crop as if they were the crop, then turn them."""
        frame = image.shape[1], image.shape[0]
        crop = aligner.surroundings(placement.crop, frame)
        width, height = (
            round(side * whole / part)
            for side, whole, part in zip(
                (self.width, self.height), crop[2:], placement.crop[2:], strict=True
            )
        )
        wide = replace(self, height=height, width=width, crop=crop, aligner=None)
        around, where = wide(image)
        motion = aligner.motion(around, where, placement, frame)
        placement = replace(placement, motion=motion)
        height, width = aligner.part.shape
        small = replace(placement, height=height, width=width)
        check_seen(small, self._needed(small, aligner), motion.quality)
        return upright(around, where, placement), placement

    def _needed(self, placement: Placement, aligner: Aligner) -> Iterable[Mask]:
        """What must lie in the camera's frame: the regions of interest, or the part."""
        if self.geometry is None or not self.geometry.regions_of_interest:
            return [aligner.part]
        return masks_of(self.geometry, placement).values()

    def place(self, frame: Size) -> Placement:
        """Where the model's input lies in frames of this size. Raises ValueError as a call does."""
        columns, rows = frame
        x, y, width, height = crop = self.crop or (0, 0, columns, rows)
        if x + width > columns or y + height > rows:
            raise ValueError(
                f"the frame is {columns}x{rows}, but the product's crop "
                f"{x},{y},{width},{height} reaches beyond it"
            )
        placement = self._place(crop, frame)
        if self.aligner is not None:
            check_extent(*placement.bounds[2:])
        return placement

    def _place(self, crop: Box, frame: Size) -> Placement:
        columns, rows = frame
        if self.geometry is None:
            return Placement(crop, self.height, self.width)
        measured = self.geometry.frame
        if measured is not None and measured != frame:
            raise ValueError(
                f"the frame is {columns}x{rows}, but the station's geometry was measured for "
                f"{measured[0]}x{measured[1]}"
            )
        _check_polygons(self.geometry.polygons, crop)
        correction, unit_mm = self.geometry.correction, self.geometry.unit_mm
        return Placement(crop, self.height, self.width, correction, unit_mm)

    def usual_placement(self, geometry: Geometry) -> Placement | None:
        """Where the input lies in the frames that a geometry was measured for.

        None where it does not say their size, unless a crop fixes the place in frames of any size.
        """
        frame = geometry.frame
        if frame is None and self.crop is not None:
            x, y, width, height = self.crop
            frame = (x + width, y + height)
        return None if frame is None else self.place(frame)

    def _resized(self, part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Averaging takes the nearest pixel where an image grows: interpolate there."""
        size = self.width, self.height
        grows = part.shape[0] < self.height or part.shape[1] < self.width
        if self.interpolation == "area" and not grows:
            return area_resize(part, size)
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.uint8)


class Prepared(NamedTuple):
    """A frame as the engine takes it, HWC BGR uint8, and where it lies in the camera's frame."""

    fitted: NDArray[np.uint8]
    placement: Placement


class Refused(NamedTuple):
    """Why a frame cannot be judged; `quality` is of an alignment that is too poor."""

    code: Code
    quality: float | None = None


def prepare(frame: Frame, fit: Fit) -> Prepared | Refused:
    """The model's input, or why the frame cannot be judged."""
    if frame.code is not Code.NONE:
        return Refused(frame.code)
    try:
        return Prepared(*fit(frame.image))
    except NotAligned as error:
        log.debug("frame %d: %s", frame.frame_id, error)  # an empty belt gives many a second
        return Refused(Code.NOT_ALIGNED, error.quality)
    except (ValueError, cv2.error) as error:
        log.error("frame %d: %s", frame.frame_id, error)
        return Refused(Code.WRONG_FORMAT)


@lru_cache(maxsize=8)
def _check_polygons(polygons: tuple[tuple[str, Polygon], ...], crop: Box) -> None:
    """Raise ValueError where a region of interest does not lie inside the crop."""
    for name, polygon in polygons:
        if error := polygon_error(polygon, crop):
            raise ValueError(f"the region of interest '{name}' {error}, or choose another crop")
