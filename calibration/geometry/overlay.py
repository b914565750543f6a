"""A picture by which a person checks a geometry: as taken, and corrected, under one grid."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.fit import Fit
from edge.vision.geometry import Geometry
from edge.vision.lens import Points
from edge.vision.placement import Placement
from edge.vision.polygon import densify

GREEN, YELLOW, LINES = (0, 200, 0), (0, 220, 255), 15
SHIFT = 4
LONGEST = 1600


def overlay(geometry: Geometry, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The frame, and beside it what `fit` makes of it, with the grid and the regions of interest.

    The grid is in mm, or in pixels where there is no scale; one caption says how wide it is.
    """
    width = image.shape[1]
    _, placement = Fit(32, 32, geometry=geometry)(image)
    left, top, wide, high = placement.bounds
    size = (width, max(1, round(width * high / wide)))
    straight, placed = Fit(size[1], size[0], geometry=geometry)(image)
    step = _step(wide * (placement.unit_mm or 1))
    lines = _grid((left, top, wide, high), step / (placement.unit_mm or 1))
    taken = image.copy() if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    for picture, flat in ((np.asarray(taken, np.uint8), False), (straight, True)):
        for line in lines:
            _draw(picture, _place(line, placed, flat), GREEN, closed=False)
        for name, polygon in geometry.polygons:
            around = densify(np.array(polygon, np.float64))
            corners = placed.points_to_model(around) if flat else around
            _draw(picture, corners, YELLOW, closed=True)
            _write(picture, name, corners.mean(axis=0), YELLOW)
    unit = "mm" if placement.unit_mm else "px"
    _write(straight, f"corrected, grid {step:g} {unit}", np.array([8, 24]), GREEN)
    return _beside(np.asarray(taken, np.uint8), straight)


def _step(width: float) -> float:
    """1, 2 or 5 of a power of ten, for about fifteen lines."""
    power = 10.0 ** math.floor(math.log10(width / LINES))
    return min((power * factor for factor in (1, 2, 5, 10)), key=lambda s: abs(width / s - LINES))


def _grid(seen: tuple[float, float, float, float], step: float) -> list[Points]:
    """Lines at multiples of `step`, [M, 2] each, in units of the corrected picture."""
    left, top, wide, high = seen
    xs = np.arange(math.ceil(left / step), (left + wide) / step) * step
    ys = np.arange(math.ceil(top / step), (top + high) / step) * step
    along, down = np.linspace(left, left + wide, 64), np.linspace(top, top + high, 64)
    upright = [np.column_stack([np.full(64, x), down]) for x in xs]
    return upright + [np.column_stack([along, np.full(64, y)]) for y in ys]


def _place(line: Points, placed: Placement, flat: bool) -> Points:
    left, top, wide, high = placed.bounds
    if flat:
        return (line - (left, top)) * (placed.width / wide, placed.height / high)
    return line if placed.correction is None else placed.correction.to_frame(line)


def _draw(
    picture: NDArray[np.uint8], points: Points, colour: tuple[int, int, int], *, closed: bool
) -> None:
    known = points[np.isfinite(points).all(axis=1)]
    near = np.clip((known - 0.5) * 2**SHIFT, -(2**20), 2**20)
    fixed = [np.round(near).astype(np.int32)]
    cv2.polylines(picture, fixed, closed, colour, 1, cv2.LINE_AA, SHIFT)


def _write(picture: NDArray[np.uint8], text: str, at: Points, colour: tuple[int, int, int]) -> None:
    place = (int(at[0]), int(at[1]))
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)


def _beside(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two pictures of one width, neither wider than LONGEST pixels."""
    tall = max(one.shape[0], other.shape[0])
    padded = [
        cv2.copyMakeBorder(p, 0, tall - p.shape[0], 0, 0, cv2.BORDER_CONSTANT) for p in (one, other)
    ]
    page = np.hstack(padded).astype(np.uint8)
    scale = min(1.0, 2 * LONGEST / page.shape[1])
    return np.asarray(cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
