"""A station's geometry: lens, the part's plane, millimetres, regions of interest.

Pixels count from the outer corner of the frame's first pixel, as boxes do: that pixel's centre is
(0.5, 0.5), half a pixel more than in OpenCV. `draem station` measures a geometry; one that only
says `mm_per_pixel` may be typed by hand.
"""

import re
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge.base.errors import DraemError
from edge.vision.lens import Correction, Lens, Matrix
from edge.vision.polygon import Polygon, flaw

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
MOST_REGIONS = 32
ROUND_TRIP_PX = 0.05
LARGEST = 1e9
SMALLEST_VIEW, LARGEST_VIEW = 1e-2, 1e6
GRID = 25


class GeometryError(DraemError):
    """A geometry cannot be read, measured or used."""


class Geometry(BaseModel):
    """What is known of how the camera sees the part.

    `frame` is the width and height of the camera's frames; lens and plane hold for no other.
    `plane` is the homography from lens-corrected frame pixels to mm on the part's plane.
    `mm_per_pixel` serves where there is no plane: a camera that looks straight down.
    `regions_of_interest` are polygons in camera frame pixels, by name; none means everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    frame: tuple[int, int] | None = None
    lens: Lens | None = None
    plane: Matrix | None = None
    mm_per_pixel: float | None = Field(None, gt=0, le=1000)
    regions_of_interest: dict[str, Polygon] = Field({}, max_length=MOST_REGIONS)

    @property
    def correction(self) -> Correction | None:
        """None where frames are taken as they are."""
        if self.frame is None or (self.lens is None and self.plane is None):
            return None
        return Correction(self.frame, self.lens, self.plane)

    @property
    def unit_mm(self) -> float | None:
        """Millimetres of one unit of the corrected picture; None where nobody measured them."""
        return self.mm_per_pixel if self.plane is None else 1.0

    @property
    def polygons(self) -> tuple[tuple[str, Polygon], ...]:
        """The regions of interest as a value that can be a key."""
        return tuple(self.regions_of_interest.items())

    @field_validator("frame")
    @classmethod
    def _a_picture(cls, frame: tuple[int, int] | None) -> tuple[int, int] | None:
        if frame is not None and not all(1 <= side <= 65536 for side in frame):
            raise ValueError(f"a frame cannot be {frame[0]}x{frame[1]}")
        return frame

    @model_validator(mode="after")
    def _makes_sense(self) -> "Geometry":
        if self.frame is None and (self.lens or self.plane):
            raise ValueError("a lens or a plane holds for one size of frame: give 'frame'")
        if self.correction is not None:
            _refuse_folds(self.correction)
        for name, polygon in self.polygons:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"'{name}' cannot be a region's name: use letters, digits, '_', '-' and '.'"
                )
            if wrong := flaw(polygon, self.frame and (0, 0, *self.frame)):
                raise ValueError(f"the region of interest '{name}' {wrong}")
        return self


def _refuse_folds(correction: Correction) -> None:
    """Raise ValueError unless the whole frame is corrected, once and not mirrored."""
    lens = correction.lens
    rows = (*(lens.camera_matrix if lens else ()), *(correction.plane or ()))
    if max(map(abs, (*sum(rows, ()), *(lens.distortion if lens else ())))) > LARGEST:
        raise ValueError(f"a lens or a plane has no number above {LARGEST:g}")
    seen = correction.grid(GRID)
    flat = correction.to_corrected(seen.reshape(-1, 2))
    if not np.isfinite(flat).all():
        raise ValueError(
            "the plane's horizon lies in the picture: photograph the board flatter, or again"
        )
    span = np.ptp(flat, axis=0)
    if span.min() < SMALLEST_VIEW or span.max() > LARGEST_VIEW:
        raise ValueError(f"the frame cannot show {span[0]:.3g} x {span[1]:.3g} mm")
    back = np.abs(correction.to_frame(flat) - seen.reshape(-1, 2))
    cells = flat.reshape(seen.shape)
    across, down = np.diff(cells, axis=1)[:-1], np.diff(cells, axis=0)[:, :-1]
    turned = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    if not (back < ROUND_TRIP_PX).all() or not (turned > 0).all():
        raise ValueError(
            "the lens or plane folds or mirrors the frame: measure it with views of the board that "
            "reach into the frame's corners"
        )


def read_geometry(path: Path) -> Geometry:
    """A geometry from its JSON file. Raises GeometryError."""
    mend = "correct it, or measure again with 'draem station'"
    try:
        return Geometry.model_validate_json(path.read_bytes())
    except OSError as error:
        raise GeometryError(f"{path} cannot be read ({error.strerror}): {mend}") from error
    except ValidationError as error:
        raise GeometryError(f"{path}: {cause(error)}: {mend}") from error


def cause(error: ValidationError) -> str:
    """The first thing that is wrong, without pydantic's pages."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    text = first["msg"].removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
