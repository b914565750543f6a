"""Defects of a simulated part, each drawn the way it comes about: as geometry under a lamp.

A flaw is drawn on a small patch of the clean picture, in grey levels. DRAEM learns from masks of
Perlin noise filled with foreign textures; nothing here may resemble that, or judging a detector
on these parts would flatter it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatMap = NDArray[Any]  # float32, which the stubs of cv2 cannot tell
Mask = NDArray[np.uint8]
Rng = np.random.Generator


def f32(values: ArrayLike) -> FloatMap:
    """The values as a float32 array: pictures are never in double precision."""
    return np.asarray(values, np.float32)


_SIDE = 160  # px of a patch; the longest scratch fits
_FINE = 4  # shapes are drawn this much larger, then shrunk: smooth, sub-pixel edges
_LAMP = f32([-0.64, -0.77])  # towards the main lamp, in the picture's plane
_LEAST_CONTRAST = 50.0  # grey levels that must be left at a third of the resolution
_WHITE = 255.0  # where the sensor saturates
_VISIBLE = 7.0  # grey levels of change that count as a visible change
_ROWS, _COLUMNS = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)


class Sites(NamedTuple):
    """Where a flaw may sit on the part in its base pose, N x 2 (x, y) px."""

    surface: FloatMap
    edge: FloatMap


class _Patch(NamedTuple):
    clean: FloatMap  # (_SIDE, _SIDE, 3) grey levels, BGR
    solid: FloatMap  # 1 where the part is
    at: FloatMap  # (x, y) px in the patch


def sites(cover: FloatMap) -> Sites:
    """The places for flaws on a part that covers 1 in `cover` (H x W)."""
    depth = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    inner, rim = np.argwhere(depth > 14), np.argwhere((depth > 0) & (depth < 1.5))
    return Sites(inner[:, ::-1].astype(np.float32), rim[:, ::-1].astype(np.float32))


def spoil(
    scene: FloatMap, cover: FloatMap, where: Sites, pose: FloatMap, rng: Rng
) -> tuple[str, Mask]:
    """Draw one random flaw into `scene` (H x W x 3, grey levels, changed in place).

    `pose` is the 2 x 3 matrix that took the part, and with it `cover`, to its place in the scene.
    """
    defect = _NAMES[rng.integers(len(_NAMES))]
    site = rng.choice(where.edge if defect == "chip" else where.surface)
    at = pose[:, :2] @ site + pose[:, 2]
    limit = np.array([scene.shape[1] - _SIDE, scene.shape[0] - _SIDE])
    x, y = np.clip(np.round(at).astype(int) - _SIDE // 2, 0, limit).tolist()
    view = scene[y : y + _SIDE, x : x + _SIDE]
    shifted = pose - f32([[0, 0, x], [0, 0, y]])
    solid = cv2.warpAffine(cover, shifted, (_SIDE, _SIDE)).astype(np.float32)
    patch = _Patch(view.copy(), solid, at - f32([x, y]))
    view[:] = _plain_to_see(patch.clean, _FLAWS[defect](patch, rng))
    truth = np.zeros(scene.shape[:2], np.uint8)
    truth[y : y + _SIDE, x : x + _SIDE] = _changed(patch.clean, view)
    return defect, truth


def _plain_to_see(clean: FloatMap, marred: FloatMap) -> FloatMap:
    """The flaw, strengthened where the light at its site would have hidden it from a person."""
    small = cv2.resize(_seen(clean, marred), None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    contrast = float(np.sort(np.abs(small.mean(axis=2)), axis=None)[-12:].mean())
    factor = np.clip(_LEAST_CONTRAST / max(contrast, 1e-3), 1, 2.5)
    return np.maximum(clean + (marred - clean) * np.float32(factor), 0)


def _seen(clean: FloatMap, marred: FloatMap) -> FloatMap:
    """The change in grey levels that is left once the sensor has saturated."""
    return f32(np.minimum(marred, _WHITE) - np.minimum(clean, _WHITE))


def _changed(clean: FloatMap, marred: FloatMap) -> Mask:
    """255 where the picture changed visibly; gaps of a few px inside a flaw belong to it."""
    blue, green, red = cv2.split(np.abs(_seen(clean, marred)))
    mask = f32(cv2.max(cv2.max(blue, green), red)) > _VISIBLE
    whole = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(255 * whole, np.uint8)


def _filled(outline: FloatMap) -> FloatMap:
    """1 inside a closed polygon (N x 2 px)."""
    fine = np.zeros((_SIDE * _FINE, _SIDE * _FINE), np.uint8)
    cv2.fillPoly(fine, [np.round((outline + 0.5) * _FINE).astype(np.int32)], 255)
    return _shrunk(fine)


def _stroke(path: FloatMap, widths: FloatMap) -> FloatMap:
    """1 on a line through `path` (N x 2 px) whose width (N, px) changes on the way."""
    fine = np.zeros((_SIDE * _FINE, _SIDE * _FINE), np.uint8)
    points = np.round((path + 0.5) * _FINE).astype(int).tolist()
    for start, end, width in zip(points, points[1:], widths.tolist(), strict=False):
        cv2.line(fine, start, end, 255, max(1, round(width * _FINE)))
    return _shrunk(fine)


def _shrunk(fine: Mask) -> FloatMap:
    small = cv2.resize(fine, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), 0.6).astype(np.float32)


def _curve(at: FloatMap, length: float, bend: float, rng: Rng) -> FloatMap:
    """A smooth random line (40 x 2 px) with its middle at `at`, turning by about `bend` rad."""
    t = np.linspace(-0.5, 0.5, 40)
    heading = rng.uniform(0, 2 * np.pi) + bend * (
        rng.choice([-1, 1]) * t + 0.4 * rng.normal() * np.sin(2 * np.pi * t + rng.uniform(0, 6))
    )
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * length / 40
    path = np.cumsum(steps, axis=0)
    return f32(at + path - path[20])


def _outline(at: FloatMap, radius: float, rough: float, rng: Rng) -> FloatMap:
    """An irregular closed outline (60 x 2 px) of about `radius` around `at`."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    waves = [rng.normal() / k * np.cos(k * angle + rng.uniform(0, 6)) for k in range(2, 8)]
    reach = radius * np.clip(1 + rough * np.sum(waves, axis=0), 0.45, 1.5)
    return f32(at + np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1))


def _bgr(grey: FloatMap) -> FloatMap:
    """The same map for each colour; numpy is slow at spreading over a last axis of three."""
    plane = grey.astype(np.float32)
    return cv2.merge([plane, plane, plane]).astype(np.float32)


def _mixed(clean: FloatMap, share: FloatMap, colour: FloatMap | float) -> FloatMap:
    """`colour` over the picture where `share` (H x W) is 1."""
    return f32(clean + _bgr(share) * (colour - clean))


def _scratch(patch: _Patch, rng: Rng) -> FloatMap:
    """A groove: one flank turned to the lamp and bright, the other in its own shadow."""
    length, bend, width = rng.uniform(46, 155), rng.uniform(0.1, 0.9), rng.uniform(3.2, 5)
    tries = [_curve(patch.at, length, bend, rng) for _ in range(4)]
    path = max(tries, key=lambda line: float(_sampled(patch.solid, line).mean()))
    taper = np.sqrt(np.sin(np.linspace(0.06, np.pi - 0.06, 40)))
    widths = (width * taper * (1 + 0.15 * rng.standard_normal(40))).astype(np.float32)
    bright_wins = _sampled(patch.clean.mean(axis=2), path).mean() < rng.uniform(90, 150)
    side = np.gradient(path, axis=0)[:, ::-1] * f32([1, -1])
    away = -np.sign(side.sum(axis=0) @ _LAMP)  # the far flank is the one that sees the lamp
    side *= away / np.linalg.norm(side, axis=1, keepdims=True)
    groove = _stroke(path, widths) * patch.solid
    flank = _stroke(path + side * width / 4, widths * (0.85 if bright_wins else 0.3)) * patch.solid
    depth = np.float32(rng.uniform(0.7, 0.95))
    return _mixed(_mixed(patch.clean, groove * depth, patch.clean * 0.3), flank * depth, 228.0)


def _sampled(values: FloatMap, path: FloatMap) -> FloatMap:
    """The values (H x W) at the points of a path; the patch's border stands for what is beyond."""
    x, y = np.clip(np.round(path).astype(int), 0, _SIDE - 1).T
    return f32(values[y, x])


def _dent(patch: _Patch, rng: Rng) -> FloatMap:
    """A struck bowl with a thrown-up lip, lit anew."""
    radius, turn = rng.uniform(9, 20), rng.uniform(0, np.pi)
    dx, dy = _COLUMNS - patch.at[0], _ROWS - patch.at[1]
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    u, v = dx * c + dy * s, dy * c - dx * s
    rho = np.hypot(u, v / np.float32(rng.uniform(0.75, 1))) / np.float32(radius)
    bowl = -(np.maximum(1 - rho**2, 0) ** 2) + 0.12 * np.exp(-(((rho - 1.12) / 0.18) ** 2))
    down, right = np.gradient(bowl * radius * rng.uniform(0.5, 0.75))
    tilt = -(right * _LAMP[0] + down * _LAMP[1]) * patch.solid
    return patch.clean * _bgr(np.exp(1.1 * tilt) + 0.4 * np.maximum(tilt, 0) ** 2)


def _stain(patch: _Patch, rng: Rng) -> FloatMap:
    """A dried film of oil: it absorbs, blue most, and left most at its rim as it dried."""
    radius = rng.uniform(13, 33)
    pool = _filled(_outline(patch.at, radius, 0.24, rng))
    inside = cv2.distanceTransform((pool > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    waves = [rng.normal(0, 2.5 / radius, 2).astype(np.float32) for _ in range(3)]
    uneven = np.sum([np.cos(_COLUMNS * a + _ROWS * b + 9 * a) for a, b in waves], axis=0)
    film = 0.38 + 0.07 * uneven + 0.5 * np.exp(-(((inside - 2) / 1.8) ** 2))
    amount = cv2.GaussianBlur(film * pool, (0, 0), 0.8) * patch.solid * rng.uniform(1.05, 1.4)
    absorption = f32(_FILMS[rng.integers(len(_FILMS))])
    return f32(patch.clean * np.exp(-f32(cv2.merge([amount * share for share in absorption]))))


_FILMS = ((1.25, 0.85, 0.6), (1.0, 0.85, 0.75))  # oil, soot in oil: absorption of B, G, R


def _chip(patch: _Patch, rng: Rng) -> FloatMap:
    """A bite out of an edge: what lies beyond shows through, around it bright fracture facets."""
    radius = np.float32(rng.uniform(12, 19))
    inward = _inward(patch)
    bite = _outline(patch.at + 0.25 * radius * inward, float(radius), 0.13, rng)[::4]
    gap = (bite - patch.at) * np.float32(rng.uniform(0.6, 0.75)) + patch.at - 0.3 * radius * inward
    facets = _facets(patch, bite, patch.at + 0.35 * radius * inward, rng)
    near = np.hypot(_COLUMNS - patch.at[0], _ROWS - patch.at[1]) < 2.5 * radius
    void = _mean(patch.clean, near & (patch.solid < 0.02))
    broken = _mixed(patch.clean, _filled(bite) * patch.solid, facets)
    return _mixed(broken, _filled(gap) * patch.solid, void)


def _inward(patch: _Patch) -> FloatMap:
    """The unit vector from the patch's site into the material."""
    weight = patch.solid * (np.hypot(_COLUMNS - patch.at[0], _ROWS - patch.at[1]) < 9)
    middle = [(weight * axis).sum() / weight.sum() for axis in (_COLUMNS, _ROWS)]
    off = f32(middle) - patch.at
    return f32(off / (np.hypot(*off) + 1e-6))


def _mean(picture: FloatMap, where: NDArray[np.bool_]) -> FloatMap:
    """The mean colour (3) of the pixels of a picture where `where` holds."""
    return f32(cv2.mean(picture, where.astype(np.uint8))[:3])


def _facets(patch: _Patch, bite: FloatMap, apex: FloatMap, rng: Rng) -> FloatMap:
    """A broken face (H x W x 3): grainy planes that meet at `apex`, each lit its own way."""
    levels = np.full((_SIDE, _SIDE), 110, np.uint8)
    corners = np.sort(rng.choice(len(bite), 6, replace=False))
    for first, count in zip(corners, np.diff(corners, append=corners[0] + len(bite)), strict=True):
        plane = np.vstack([apex[None], np.roll(bite, -first, axis=0)[: count + 1]])
        cv2.fillPoly(levels, [np.round(plane).astype(np.int32)], int(rng.uniform(75, 205)))
    grain = cv2.GaussianBlur(
        levels + 14 * rng.standard_normal(levels.shape, np.float32), (0, 0), 0.7
    )
    colour = _mean(patch.clean, patch.solid > 0.9)
    return f32(_bgr(grain) * (0.45 + 0.55 * colour / colour.mean()))


def _foreign_body(patch: _Patch, rng: Rng) -> FloatMap:
    """A metal curl, a fibre or a crumb of plastic that lies on the part and throws a shadow."""
    form = rng.integers(3)
    if form == 0:
        body, colour, gloss = _curl(patch.at, rng), f32([118, 120, 122]), 300.0
    elif form == 1:
        line = _curve(patch.at, rng.uniform(28, 60), 3.0, rng)
        body = _stroke(line, np.full(40, rng.uniform(2.0, 2.8), np.float32))
        colour, gloss = _DYES[rng.integers(len(_DYES))], 20.0
    else:
        body = _filled(_outline(patch.at, rng.uniform(7, 12.5), 0.3, rng)[::7])  # angular
        colour, gloss = _DYES[rng.integers(len(_DYES))], 60.0
    return _laid(patch.clean, body, colour, gloss)


_DYES = f32([[205, 212, 215], [48, 56, 150], [74, 112, 66], [72, 158, 190], [30, 30, 32]])


def _curl(at: FloatMap, rng: Rng) -> FloatMap:
    """A turning chip: a ribbon wound into a drawn-out spring, seen from above."""
    t = np.linspace(0, 2 * np.pi * rng.uniform(1.3, 3.2), 90)
    radius, pitch, turn = rng.uniform(5, 9), rng.uniform(4, 7), rng.uniform(0, 2 * np.pi)
    along, across = pitch * (t - t.mean()) / 3 + radius * np.cos(t), radius * np.sin(t)
    c, s = np.cos(turn), np.sin(turn)
    path = np.stack([c * along - s * across, s * along + c * across], axis=1)
    return _stroke((at + path).astype(np.float32), (2.4 + 0.7 * np.sin(t + 1)).astype(np.float32))


def _laid(clean: FloatMap, body: FloatMap, colour: FloatMap, gloss: float) -> FloatMap:
    """A rounded body of a colour on the picture, its shadow away from the lamp."""
    height = cv2.GaussianBlur(body, (0, 0), 1.6) * 4
    down, right = np.gradient(height)
    tilt = -(right * _LAMP[0] + down * _LAMP[1])
    fall = f32([[1, 0, 3.2], [0, 1, 3.8]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(body, fall, (_SIDE, _SIDE)), (0, 0), 1.7)
    ground = clean * _bgr(1 - 0.62 * shadow)
    lit = _bgr(0.75 + 0.5 * tilt) * colour + _bgr(gloss * np.maximum(tilt, 0) ** 2)
    return _mixed(ground, body, lit)


_FLAWS: dict[str, Callable[[_Patch, Rng], FloatMap]] = {
    "scratch": _scratch,
    "dent": _dent,
    "stain": _stain,
    "chip": _chip,
    "foreign_body": _foreign_body,
}
_NAMES = tuple(_FLAWS)
