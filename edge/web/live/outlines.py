"""The outlines of an inspection's regions as an SVG path in pixels of the camera's frame."""

from functools import lru_cache

import cv2
import numpy as np

from edge.events.event import Event, Inspection, MaskPlacement

MAX_CONTOURS = 200
SMOOTH = 0.5  # pixels of the mask


@lru_cache(64)
def outlines(event: Event) -> str:
    """The contours of the mask, or the regions' boxes where the mask lies elsewhere.

    A mask without lens distortion (`corrected`) does not fit onto the frame.
    """
    header = event.header
    if not isinstance(header, Inspection) or not header.regions:
        return ""
    if event.mask_png and header.mask and not header.mask.corrected:
        return _contours(event.mask_png, header.mask) or boxes(header)
    return boxes(header)


def boxes(header: Inspection) -> str:
    """The boxes of its regions as an SVG path in pixels of the camera's frame."""
    return "".join(
        f"M{x} {y}h{width}v{height}h{-width}Z"
        for x, y, width, height in (r.box for r in header.regions)
    )


def _contours(png: bytes, where: MaskPlacement) -> str:
    mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        return ""
    mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))  # around the defect, not on it
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    x, y, width, height = where.crop
    scale, begin = np.array([width / mask.shape[1], height / mask.shape[0]]), np.array([x, y])
    paths = []
    for contour in sorted(found, key=cv2.contourArea, reverse=True)[:MAX_CONTOURS]:
        points = cv2.approxPolyDP(contour, SMOOTH, True).reshape(-1, 2)
        paths.append(_path((points + 0.5) * scale + begin))
    return "".join(paths)


def _path(points: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
