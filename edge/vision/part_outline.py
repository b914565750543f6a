"""Where a picture shows the part, and where the background."""

import cv2
import numpy as np
from numpy.typing import NDArray

EDGE = 0.02
"""Of the shorter side: the strip along the border that tells what the background looks like."""
EVEN = 24.0
"""Gray levels: a border that varies by more is no plain background."""
DIFFERENT = 10.0
"""Gray levels that the part differs by at least."""
BORDER_SHARE = 95


def part_mask(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """255 for the part and all that it encloses (convex), 0 for the plain background; HW.

    All of it is part where the border of the picture (HWC BGR) has no plain background.
    """
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.float32)
    height, width = smooth.shape[:2]
    strip = max(1, round(EDGE * min(height, width)))
    border = np.ones((height, width), np.bool_)
    border[strip:-strip, strip:-strip] = False
    plain = np.median(smooth[border], axis=0)
    distance = np.abs(smooth - plain).max(axis=2)
    spread = float(np.percentile(distance[border], BORDER_SHARE))
    everything = np.full((height, width), 255, np.uint8)
    if spread > EVEN:
        return everything
    other = (distance > max(DIFFERENT, 2 * spread)).astype(np.uint8)
    points = cv2.findNonZero(other)
    if points is None:
        return everything
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points), 255)
    around = np.ones((2 * strip + 1, 2 * strip + 1), np.uint8)  # an edge in shadow looks plain
    return np.asarray(cv2.dilate(mask, around), np.uint8)
