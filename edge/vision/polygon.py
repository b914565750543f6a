"""Polygons by their corners: what is wrong with one."""

import numpy as np
from numpy.typing import NDArray

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) in order; the last one is joined to the first."""

MOST_CORNERS = 200
SMALLEST_AREA = 1.0


def flaw(polygon: Polygon, within: tuple[int, int, int, int] | None) -> str:
    """Why a polygon bounds no region inside the box `within`; empty where it does."""
    corners = np.array(polygon, np.float64).reshape(-1, 2)
    if not 3 <= len(corners) <= MOST_CORNERS:
        return f"has {len(corners)} corners: give 3 to {MOST_CORNERS}"
    if not np.isfinite(corners).all():
        return "has a corner that is no number"
    if within is not None:
        x, y, width, height = within
        if not ((corners >= (x, y)) & (corners <= (x + width, y + height))).all():
            return f"reaches beyond {x},{y},{width},{height}: move its corners inside"
    if crosses_itself(corners):
        return "crosses or touches itself: give its corners in order around it"
    if abs(area(corners)) < SMALLEST_AREA:
        return "has no area: give corners that lie apart"
    return ""


def area(corners: NDArray[np.float64]) -> float:
    """Signed, by the shoelace formula."""
    x, y = (corners - corners.mean(axis=0)).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def crosses_itself(corners: NDArray[np.float64]) -> bool:
    """Whether two edges that are not neighbours meet, or two neighbours lie on each other."""
    count = len(corners)
    edges = list(zip(corners, np.roll(corners, -1, axis=0), strict=True))
    for i, (a, b) in enumerate(edges):
        if (a == b).all() or _turns_back(a, b, edges[(i + 1) % count][1]):
            return True
        for j in range(i + 2, count - (i == 0)):
            if _meet(a, b, *edges[j]):
                return True
    return False


def _side(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _turns_back(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> bool:
    return _side(a, b, c) == 0 and float((b - a) @ (c - b)) < 0


def _meet(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> bool:
    """Whether the closed segments ab and cd have a point in common."""
    boxes_apart = (np.maximum(a, b) < np.minimum(c, d)) | (np.maximum(c, d) < np.minimum(a, b))
    if boxes_apart.any():
        return False
    return _side(a, b, c) * _side(a, b, d) <= 0 and _side(c, d, a) * _side(c, d, b) <= 0
