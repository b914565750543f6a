"""Soft-edged shapes on a square patch of a picture, for the defects of a simulated part."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatMap = NDArray[Any]  # float32, which the stubs of cv2 do not express
Mask = NDArray[np.uint8]
Rng = np.random.Generator

SIDE = 160  # px of a patch; the longest scratch fits
FINE = 4  # shapes are drawn this much larger, then shrunk: smooth, sub-pixel edges


def f32(values: ArrayLike) -> FloatMap:
    """The values as a float32 array: pictures are never in double precision."""
    return np.asarray(values, np.float32)


COLUMNS, ROWS = f32(np.mgrid[:SIDE, :SIDE])[::-1]


def filled(outline: FloatMap) -> FloatMap:
    """1 inside a closed polygon (N x 2 px)."""
    fine = np.zeros((SIDE * FINE, SIDE * FINE), np.uint8)
    cv2.fillPoly(fine, [np.round((outline + 0.5) * FINE).astype(np.int32)], 255)
    return _shrunk(fine)


def stroke(path: FloatMap, widths: FloatMap) -> FloatMap:
    """1 on a line through `path` (N x 2 px) with a width (N, px) at each of its points."""
    fine = np.zeros((SIDE * FINE, SIDE * FINE), np.uint8)
    points = np.round((path + 0.5) * FINE).astype(int).tolist()
    for start, end, width in zip(points, points[1:], widths.tolist(), strict=False):
        cv2.line(fine, start, end, 255, max(1, round(width * FINE)))
    return _shrunk(fine)


def _shrunk(fine: Mask) -> FloatMap:
    small = f32(cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return cv2.GaussianBlur(small / 255, (0, 0), 0.6)


def random_curve(at: FloatMap, length: float, bend: float, rng: Rng) -> FloatMap:
    """A smooth random line (40 x 2 px) with its middle at `at`, turning by about `bend` rad."""
    t = np.linspace(-0.5, 0.5, 40)
    heading = rng.uniform(0, 2 * np.pi) + bend * (
        rng.choice([-1, 1]) * t + 0.4 * rng.normal() * np.sin(2 * np.pi * t + rng.uniform(0, 6))
    )
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * length / 40
    path = np.cumsum(steps, axis=0)
    return f32(at + path - path[20])


def random_outline(at: FloatMap, radius: float, roughness: float, rng: Rng) -> FloatMap:
    """An irregular closed outline (60 x 2 px) of about `radius` around `at`."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    waves = [rng.normal() / k * np.cos(k * angle + rng.uniform(0, 6)) for k in range(2, 8)]
    reach = radius * np.clip(1 + roughness * np.sum(waves, axis=0), 0.45, 1.5)
    return f32(at + np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1))


def bgr(gray: FloatMap) -> FloatMap:
    """The same map for each colour; cv2 is faster than numpy's broadcasting over a last axis."""
    return cv2.merge([f32(gray)] * 3)


def blend(picture: FloatMap, share: FloatMap, colour: FloatMap | float) -> FloatMap:
    """`colour` over the picture where `share` (H x W) is 1."""
    return f32(picture + bgr(share) * (colour - picture))


def sample(values: FloatMap, path: FloatMap) -> FloatMap:
    """The values (H x W) at the points of a path; points outside take the patch's border."""
    x, y = np.clip(np.round(path).astype(int), 0, SIDE - 1).T
    return f32(values[y, x])
