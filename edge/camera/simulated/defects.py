"""The kinds of defects of a simulated part; each is drawn as it arises, as geometry under a lamp.

DRAEM learns from masks of Perlin noise filled with foreign textures. Nothing here may resemble
that, or a detector would score better on these parts than on real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera.simulated.drawing import (
    COLUMNS,
    ROWS,
    SIDE,
    FloatMap,
    Rng,
    bgr,
    blend,
    f32,
    filled,
    random_curve,
    random_outline,
    sample,
    stroke,
)

_LAMP = f32([-0.64, -0.77])  # towards the main lamp, in the picture's plane
_FILMS = ((1.25, 0.85, 0.6), (1.0, 0.85, 0.75))  # oil, soot in oil: absorption of B, G, R
_DYES = f32([[205, 212, 215], [48, 56, 150], [74, 112, 66], [72, 158, 190], [30, 30, 32]])


class Patch(NamedTuple):
    """A small square of the clean picture, where a defect is drawn."""

    clean: FloatMap  # (SIDE, SIDE, 3) gray levels, BGR
    solid: FloatMap  # 1 where the part is
    at: FloatMap  # (x, y) px in the patch


def _scratch(patch: Patch, rng: Rng) -> FloatMap:
    """A groove: the flank that faces the lamp is bright, the other in its own shadow."""
    length, bend, width = rng.uniform(46, 155), rng.uniform(0.1, 0.9), rng.uniform(3.2, 5)
    candidates = [random_curve(patch.at, length, bend, rng) for _ in range(4)]
    path = max(candidates, key=lambda line: float(sample(patch.solid, line).mean()))
    taper = np.sqrt(np.sin(np.linspace(0.06, np.pi - 0.06, 40)))
    widths = f32(width * taper * (1 + 0.15 * rng.standard_normal(40)))
    bright_wins = sample(patch.clean.mean(axis=2), path).mean() < rng.uniform(90, 150)
    side = np.gradient(path, axis=0)[:, ::-1] * f32([1, -1])
    far = -np.sign(side.sum(axis=0) @ _LAMP)  # the far flank is the one that faces the lamp
    side *= far / np.linalg.norm(side, axis=1, keepdims=True)
    groove = stroke(path, widths) * patch.solid
    flank = stroke(path + side * width / 4, widths * (0.85 if bright_wins else 0.3)) * patch.solid
    depth = np.float32(rng.uniform(0.7, 0.95))
    return blend(blend(patch.clean, groove * depth, patch.clean * 0.3), flank * depth, 228.0)


def _dent(patch: Patch, rng: Rng) -> FloatMap:
    """A bowl with a raised lip, with its own light and shade."""
    radius, turn = rng.uniform(9, 20), rng.uniform(0, np.pi)
    dx, dy = COLUMNS - patch.at[0], ROWS - patch.at[1]
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    u, v = dx * c + dy * s, dy * c - dx * s
    rho = np.hypot(u, v / np.float32(rng.uniform(0.75, 1))) / np.float32(radius)
    bowl = -(np.maximum(1 - rho**2, 0) ** 2) + 0.12 * np.exp(-(((rho - 1.12) / 0.18) ** 2))
    tilt = _tilt(bowl * radius * rng.uniform(0.5, 0.75)) * patch.solid
    return patch.clean * bgr(np.exp(1.1 * tilt) + 0.4 * np.maximum(tilt, 0) ** 2)


def _tilt(height: FloatMap) -> FloatMap:
    """How steeply a surface (H x W px) faces the main lamp."""
    down, right = np.gradient(height)
    return f32(-(right * _LAMP[0] + down * _LAMP[1]))


def _stain(patch: Patch, rng: Rng) -> FloatMap:
    """A dried film of oil: it absorbs, blue most, and is thickest at its rim."""
    radius = rng.uniform(13, 33)
    pool = filled(random_outline(patch.at, radius, 0.24, rng))
    inside = cv2.distanceTransform((pool > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    waves = [f32(rng.normal(0, 2.5 / radius, 2)) for _ in range(3)]
    uneven = np.sum([np.cos(COLUMNS * a + ROWS * b + 9 * a) for a, b in waves], axis=0)
    film = 0.38 + 0.07 * uneven + 0.5 * np.exp(-(((inside - 2) / 1.8) ** 2))
    amount = cv2.GaussianBlur(film * pool, (0, 0), 0.8) * patch.solid * rng.uniform(1.05, 1.4)
    absorption = f32(_FILMS[rng.integers(len(_FILMS))])
    return f32(patch.clean * np.exp(-f32(cv2.merge([amount * share for share in absorption]))))


def _chip(patch: Patch, rng: Rng) -> FloatMap:
    """A broken edge: the background shows through, between bright fracture facets."""
    radius = np.float32(rng.uniform(12, 19))
    inward, distance = _inward(patch), np.hypot(COLUMNS - patch.at[0], ROWS - patch.at[1])
    outline = random_outline(patch.at + 0.25 * radius * inward, float(radius), 0.13, rng)[::4]
    scale = np.float32(rng.uniform(0.6, 0.75))
    gap = (outline - patch.at) * scale + patch.at - 0.3 * radius * inward
    facets = _facets(patch, outline, patch.at + 0.35 * radius * inward, rng)
    background = _mean(patch.clean, (distance < 2.5 * radius) & (patch.solid < 0.02))
    broken = blend(patch.clean, filled(outline) * patch.solid, facets)
    return blend(broken, filled(gap) * patch.solid, background)


def _inward(patch: Patch) -> FloatMap:
    """The unit vector from the patch's site into the material."""
    weight = patch.solid * (np.hypot(COLUMNS - patch.at[0], ROWS - patch.at[1]) < 9)
    middle = [(weight * axis).sum() / weight.sum() for axis in (COLUMNS, ROWS)]
    offset = f32(middle) - patch.at
    return f32(offset / (np.hypot(*offset) + 1e-6))


def _mean(picture: FloatMap, where: NDArray[np.bool_]) -> FloatMap:
    """The mean colour (3) of the pixels of a picture where `where` holds."""
    return f32(cv2.mean(picture, where.astype(np.uint8))[:3])


def _facets(patch: Patch, outline: FloatMap, apex: FloatMap, rng: Rng) -> FloatMap:
    """A fracture (H x W x 3): grainy planes that meet at `apex`, each with its own brightness."""
    levels = np.full((SIDE, SIDE), 110, np.uint8)
    corners = np.sort(rng.choice(len(outline), 6, replace=False))
    for first, count in zip(
        corners, np.diff(corners, append=corners[0] + len(outline)), strict=True
    ):
        plane = np.vstack([apex[None], np.roll(outline, -first, axis=0)[: count + 1]])
        cv2.fillPoly(levels, [np.round(plane).astype(np.int32)], int(rng.uniform(75, 205)))
    noise = 14 * rng.standard_normal(levels.shape, np.float32)
    colour = _mean(patch.clean, patch.solid > 0.9)
    grain = cv2.GaussianBlur(levels + noise, (0, 0), 0.7)
    return f32(bgr(grain) * (0.45 + 0.55 * colour / colour.mean()))


def _foreign_body(patch: Patch, rng: Rng) -> FloatMap:
    """A metal curl, a fibre or a grain of plastic that lies on the part and casts a shadow."""
    form = rng.integers(3)
    if form == 0:
        return _place_body(patch.clean, _metal_curl(patch.at, rng), f32([118, 120, 122]), 300.0)
    if form == 1:
        line = random_curve(patch.at, rng.uniform(28, 60), 3.0, rng)
        body, gloss = stroke(line, np.full(40, rng.uniform(2.0, 2.8), np.float32)), 20.0
    else:  # every seventh point: an angular outline
        body = filled(random_outline(patch.at, rng.uniform(7, 12.5), 0.3, rng)[::7])
        gloss = 60.0
    return _place_body(patch.clean, body, _DYES[rng.integers(len(_DYES))], gloss)


def _metal_curl(at: FloatMap, rng: Rng) -> FloatMap:
    """A chip from turning: a ribbon like a stretched spring, seen from above."""
    t = np.linspace(0, 2 * np.pi * rng.uniform(1.3, 3.2), 90)
    radius, pitch, turn = rng.uniform(5, 9), rng.uniform(4, 7), rng.uniform(0, 2 * np.pi)
    along, across = pitch * (t - t.mean()) / 3 + radius * np.cos(t), radius * np.sin(t)
    c, s = np.cos(turn), np.sin(turn)
    path = np.stack([c * along - s * across, s * along + c * across], axis=1)
    return stroke(f32(at + path), f32(2.4 + 0.7 * np.sin(t + 1)))


def _place_body(clean: FloatMap, body: FloatMap, colour: FloatMap, gloss: float) -> FloatMap:
    """A rounded body of a colour on the picture, its shadow on the side away from the lamp."""
    tilt = _tilt(cv2.GaussianBlur(body, (0, 0), 1.6) * 4)
    move = f32([[1, 0, 3.2], [0, 1, 3.8]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(body, move, (SIDE, SIDE)), (0, 0), 1.7)
    lit = bgr(0.75 + 0.5 * tilt) * colour + bgr(gloss * np.maximum(tilt, 0) ** 2)
    return blend(clean * bgr(1 - 0.62 * shadow), body, lit)


DEFECTS: dict[str, Callable[[Patch, Rng], FloatMap]] = {
    "scratch": _scratch,
    "dent": _dent,
    "stain": _stain,
    "chip": _chip,
    "foreign_body": _foreign_body,
}
"""Each kind by its name: the patch with one such defect, at random."""
