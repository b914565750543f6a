"""Put one random defect on a simulated part, and mark the pixels that it changed."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from edge.camera.simulated.defects import DEFECTS, Patch
from edge.camera.simulated.drawing import SIDE, FloatMap, Mask, Rng, f32

_NAMES = tuple(DEFECTS)
_MIN_CONTRAST = 50.0  # gray levels that must be left at a third of the resolution
_WHITE = 255.0  # where the sensor saturates
_VISIBLE = 7.0  # gray levels of change that count as visible


class DefectSites(NamedTuple):
    """Where a defect may be on the part in its base pose, N x 2 (x, y) px."""

    surface: FloatMap
    edge: FloatMap


def find_sites(cover: FloatMap) -> DefectSites:
    """The places for defects on a part that is where `cover` (H x W) is 1."""
    depth = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    inner, rim = np.argwhere(depth > 14), np.argwhere((depth > 0) & (depth < 1.5))
    return DefectSites(f32(inner[:, ::-1]), f32(rim[:, ::-1]))


def add_defect(
    scene: FloatMap, cover: FloatMap, sites: DefectSites, pose: FloatMap, rng: Rng
) -> tuple[str, Mask]:
    """Draw one random defect into `scene` (H x W x 3, gray levels, changed in place).

    `pose` is the 2 x 3 matrix that moved the part, and with it `cover`, to its place in the scene.
    Returns the defect's name, and 255 where it is visible.
    """
    name = _NAMES[rng.integers(len(_NAMES))]
    site = rng.choice(sites.edge if name == "chip" else sites.surface)
    at = pose[:, :2] @ site + pose[:, 2]
    limit = np.array([scene.shape[1] - SIDE, scene.shape[0] - SIDE])
    x, y = np.clip(np.round(at).astype(int) - SIDE // 2, 0, limit).tolist()
    view = scene[y : y + SIDE, x : x + SIDE]
    shifted = pose - f32([[0, 0, x], [0, 0, y]])
    solid = f32(cv2.warpAffine(cover, shifted, (SIDE, SIDE)))
    patch = Patch(view.copy(), solid, at - f32([x, y]))
    view[:] = _strengthened(patch.clean, DEFECTS[name](patch, rng))
    truth = np.zeros(scene.shape[:2], np.uint8)
    truth[y : y + SIDE, x : x + SIDE] = _changed(patch.clean, view)
    return name, truth


def _strengthened(clean: FloatMap, defective: FloatMap) -> FloatMap:
    """The defect with more contrast where the light at its site would hide it from a person."""
    change = _sensor_change(clean, defective)
    small = cv2.resize(change, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    contrast = float(np.sort(np.abs(small.mean(axis=2)), axis=None)[-12:].mean())
    factor = np.clip(_MIN_CONTRAST / max(contrast, 1e-3), 1, 2.5)
    return np.maximum(clean + (defective - clean) * np.float32(factor), 0)


def _sensor_change(clean: FloatMap, defective: FloatMap) -> FloatMap:
    """The change in gray levels that is left once the sensor has saturated."""
    return f32(np.minimum(defective, _WHITE) - np.minimum(clean, _WHITE))


def _changed(clean: FloatMap, defective: FloatMap) -> Mask:
    """255 where the picture changed visibly; gaps of a few px inside a defect belong to it."""
    blue, green, red = cv2.split(np.abs(_sensor_change(clean, defective)))
    mask = f32(cv2.max(cv2.max(blue, green), red)) > _VISIBLE
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(255 * closed, np.uint8)
