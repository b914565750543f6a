"""A station's geometry: lens, the part's plane, millimetres, regions of interest.

Pixels count from the outer corner of the frame's first pixel, as boxes do: that pixel's centre is
(0.5, 0.5), half a pixel more than in OpenCV. `draem station` measures a geometry; one that has
only `mm_per_pixel` may be typed by hand.
"""

import re
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge.base.errors import DraemError
from edge.base.validation import first_cause, read_json
from edge.vision.lens import Correction, Lens, Matrix
from edge.vision.polygon import Polygon, polygon_error

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
MAX_REGIONS = 32
MAX_ROUND_TRIP_PX = 0.05
MAX_COEFFICIENT = 1e9
MIN_EXTENT, MAX_EXTENT = 1e-2, 1e6
GRID = 25


class GeometryError(DraemError):
    """A geometry cannot be read, measured or used."""


class Geometry(BaseModel):
    """How the camera sees the part.

    `frame` is the width and height of the camera's frames; lens and plane are valid for no other.
    `plane` is the homography from lens-corrected frame pixels to mm on the part's plane.
    `mm_per_pixel` is for a camera without a measured plane that looks straight down.
    `regions_of_interest` are polygons in camera frame pixels, by name; none means everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    frame: tuple[int, int] | None = None
    lens: Lens | None = None
    plane: Matrix | None = None
    mm_per_pixel: float | None = Field(None, gt=0, le=1000)
    regions_of_interest: dict[str, Polygon] = Field({}, max_length=MAX_REGIONS)

    @property
    def correction(self) -> Correction | None:
        """None where frames are used uncorrected."""
        if self.frame is None or (self.lens is None and self.plane is None):
            return None
        return Correction(self.frame, self.lens, self.plane)

    @property
    def unit_mm(self) -> float | None:
        """Millimetres of one unit of the corrected image; None where it was not measured."""
        return self.mm_per_pixel if self.plane is None else 1.0

    @property
    def polygons(self) -> tuple[tuple[str, Polygon], ...]:
        """The regions of interest as a hashable value."""
        return tuple(self.regions_of_interest.items())

    @field_validator("frame")
    @classmethod
    def _frame_is_possible(cls, frame: tuple[int, int] | None) -> tuple[int, int] | None:
        if frame is not None and not all(1 <= side <= 65536 for side in frame):
            raise ValueError(f"a frame cannot be {frame[0]}x{frame[1]}")
        return frame

    @model_validator(mode="after")
    def _is_usable(self) -> "Geometry":
        if self.frame is None and (self.lens or self.plane):
            raise ValueError("a lens or a plane is valid for one frame size: give 'frame'")
        if self.correction is not None:
            _check_correction(self.correction)
        for name, polygon in self.polygons:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"'{name}' cannot be a region's name: use letters, digits, '_', '-' and '.'"
                )
            if error := polygon_error(polygon, self.frame and (0, 0, *self.frame)):
                raise ValueError(f"the region of interest '{name}' {error}")
        return self


def _check_correction(correction: Correction) -> None:
    """Raise ValueError unless the whole frame is corrected, without folds and not mirrored."""
    lens = correction.lens
    rows = (*(lens.camera_matrix if lens else ()), *(correction.plane or ()))
    if max(map(abs, (*sum(rows, ()), *(lens.distortion if lens else ())))) > MAX_COEFFICIENT:
        raise ValueError(f"a lens or a plane has no number above {MAX_COEFFICIENT:g}")
    grid = correction.grid(GRID)
    points = correction.to_corrected(grid.reshape(-1, 2))
    if not np.isfinite(points).all():
        raise ValueError(
            "the plane's horizon lies in the image: photograph the board flatter, or again"
        )
    extent = np.ptp(points, axis=0)
    if extent.min() < MIN_EXTENT or extent.max() > MAX_EXTENT:
        raise ValueError(f"the frame cannot show {extent[0]:.3g} x {extent[1]:.3g} mm")
    round_trip = np.abs(correction.to_frame(points) - grid.reshape(-1, 2))
    cells = points.reshape(grid.shape)
    across, down = np.diff(cells, axis=1)[:-1], np.diff(cells, axis=0)[:, :-1]
    turn = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    if not (round_trip < MAX_ROUND_TRIP_PX).all() or not (turn > 0).all():
        raise ValueError(
            "the lens or plane folds or mirrors the frame: measure it with views of the board that "
            "reach into the frame's corners"
        )


def read_geometry(path: Path) -> Geometry:
    """A geometry from its JSON file. Raises GeometryError."""
    fix = "correct it, or measure again with 'draem station'"
    try:
        return read_json(path, Geometry)
    except OSError as error:
        raise GeometryError(f"{path} cannot be read ({error.strerror}): {fix}") from error
    except ValueError as error:
        raise GeometryError(f"{path}: {first_cause(error)}: {fix}") from error
