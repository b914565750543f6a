"""The light of two lamps on a height map: diffuse and glossy reflection, shadows, dark corners."""

from __future__ import annotations

import cv2
import numpy as np

from edge.camera.simulated.drawing import FloatMap, f32
from edge.camera.simulated.part_kinds import HEIGHT, WIDTH, Relief, X, Y

_LAMPS = ((-330.0, -400.0, 520.0, 1.0), (520.0, 260.0, 600.0, 0.38))  # x, y, z in px, power


def reflected(relief: Relief, turn_deg: float) -> tuple[FloatMap, FloatMap]:
    """Diffuse (Lambert) and glossy (Ward) light, lamps turned about the optical axis."""
    smooth = cv2.GaussianBlur(relief.height, (0, 0), 0.9)
    nx, ny = (-f32(cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, scale=1 / 8)) for x in (1, 0))
    nz = f32(1 / np.sqrt(1 + nx * nx + ny * ny))
    nx, ny = nx * nz, ny * nz
    tx, ty = np.cos(relief.grain), np.sin(relief.grain)
    lean = nx * tx + ny * ty
    diffuse, gloss = 0.3 * nz, 0 * nz
    for lamp in _LAMPS:
        lx, ly, lz = _towards(lamp, turn_deg)
        diffuse += lamp[3] * np.maximum(nx * lx + ny * ly + nz * lz, 0)
        facing = nx * lx + ny * ly + nz * (lz + 1)  # of the half vector, which is l + v
        along = lx * tx + ly * ty - lean * facing
        across = np.maximum(2 + 2 * lz - facing**2 - along**2, 0)
        spread = (along / relief.roughness[0]) ** 2 + across / relief.roughness[1] ** 2
        gloss += lamp[3] * np.exp(-spread / np.maximum(facing, 0.1) ** 2)
    return diffuse * relief.albedo, gloss


def _towards(lamp: tuple[float, ...], turn_deg: float) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Unit vectors from every pixel to a lamp."""
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    lx, ly = np.float32(c * lamp[0] - s * lamp[1]) - X, np.float32(s * lamp[0] + c * lamp[1]) - Y
    near = 1 / np.sqrt(lx * lx + ly * ly + np.float32(lamp[2]) ** 2)
    return lx * near, ly * near, near * np.float32(lamp[2])


def unshaded(height: FloatMap) -> FloatMap:
    """Share of the light that reaches each pixel past its surroundings: soft shadow, corners."""
    blocked = np.zeros_like(height)
    for step in range(2, 30, 2):
        move = f32([[1, 0, 0.64 * step], [0, 1, 0.77 * step]])
        blocker = cv2.warpAffine(height, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        blocked = np.maximum(blocked, blocker - height - np.float32(step))
    shadow = cv2.GaussianBlur(np.clip(blocked / 4, 0, 1), (0, 0), 2.5)
    corner = np.maximum(cv2.GaussianBlur(height, (0, 0), 9) - height, 0)
    return f32((1 - 0.55 * shadow) / (1 + 0.07 * corner))
