"""Polygons by their corners: points along their edges, area, and what makes one unusable."""

import numpy as np

from edge.vision.frame import Box
from edge.vision.lens import Points

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) in order; the last one is joined to the first."""

MAX_CORNERS = 200
MIN_AREA = 1.0
POINTS_PER_EDGE = 32


def polygon_error(polygon: Polygon, within: Box | None) -> str:
    """Why a polygon bounds no region inside the box `within`; empty where it does."""
    corners = np.array(polygon, np.float64).reshape(-1, 2)
    if not 3 <= len(corners) <= MAX_CORNERS:
        return f"has {len(corners)} corners: give 3 to {MAX_CORNERS}"
    if not np.isfinite(corners).all():
        return "has a corner that is not a number"
    if within is not None:
        x, y, width, height = within
        if not ((corners >= (x, y)) & (corners <= (x + width, y + height))).all():
            return f"reaches beyond {x},{y},{width},{height}: move its corners inside"
    if crosses_itself(corners):
        return "crosses or touches itself: give its corners in order around it"
    if abs(area(corners)) < MIN_AREA:
        return "has no area: give corners that lie apart"
    return ""


def outline(x: float, y: float, width: float, height: float) -> Points:
    """Points [N, 2] around a box, close enough to follow a bent edge."""
    return densify(np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)]))


def densify(corners: Points) -> Points:
    """Points [N, 2] along a polygon's edges."""
    share = np.linspace(0, 1, POINTS_PER_EDGE, endpoint=False)[:, None]
    pairs = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return np.concatenate([a + (b - a) * share for a, b in pairs])


def area(corners: Points) -> float:
    """Signed area, by the shoelace formula."""
    x, y = (corners - corners.mean(axis=0)).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def crosses_itself(corners: Points) -> bool:
    """Whether two edges that are not neighbours meet, or two neighbours lie on each other."""
    count, ends = len(corners), np.roll(corners, -1, axis=0)
    along = ends - corners
    # side[i, j]: on which side of edge i corner j lies; 0 on its line
    offset = corners[None] - corners[:, None]
    side = along[:, None, 0] * offset[..., 1] - along[:, None, 1] * offset[..., 0]
    after_next = (np.arange(count) + 2) % count
    turns_back = (side[np.arange(count), after_next] == 0) & (
        (along * np.roll(along, -1, axis=0)).sum(axis=1) < 0
    )
    straddles = side * np.roll(side, -1, axis=1) <= 0  # edge j has an end on each side of line i
    low, high = np.minimum(corners, ends), np.maximum(corners, ends)
    boxes_meet = (low[None] <= high[:, None]).all(axis=2)
    meets = straddles & straddles.T & boxes_meet & boxes_meet.T
    apart = (np.arange(count)[None] - np.arange(count)[:, None]) % count
    meets &= (apart > 1) & (apart < count - 1)
    return bool((along == 0).all(axis=1).any() or turns_back.any() or meets.any())
