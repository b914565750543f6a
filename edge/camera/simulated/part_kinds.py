"""The kinds of simulated parts and what they lie on: geometry as height maps, and material."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from edge.camera.simulated.drawing import FloatMap, f32

KINDS = ("machined", "moulded")
HEIGHT, WIDTH = 480, 640
Y, X = f32(np.mgrid[:HEIGHT, :WIDTH]) - f32([[[HEIGHT / 2]], [[WIDTH / 2]]])


class Relief(NamedTuple):
    """A surface over the whole frame, part at the centre; heights in px towards the camera."""

    height: FloatMap
    cover: FloatMap  # 1 where there is material, 0 where the background is seen
    albedo: FloatMap  # factor on the diffuse light
    grain: FloatMap  # direction of the tool marks in rad
    roughness: tuple[float, float]  # spread of the reflection along and across the marks


def _ramp(distance: FloatMap, width: float) -> FloatMap:
    """0 below zero distance, 1 beyond `width` px, a straight bevel between."""
    return f32(np.clip(distance / np.float32(width), 0, 1))


def _box(x: FloatMap, y: FloatMap, half: tuple[float, float], corner: float) -> FloatMap:
    """Distance in px inside (positive) a rounded rectangle around the origin."""
    qx, qy = np.abs(x) - half[0] + corner, np.abs(y) - half[1] + corner
    outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
    return f32(corner - outside - np.minimum(np.maximum(qx, qy), 0))


def _nearest(centres: list[tuple[float, float]]) -> tuple[FloatMap, FloatMap]:
    """Distance in px to, and direction in rad from, the nearest of the centres."""
    ranges = np.stack([np.hypot(X - np.float32(x), Y - np.float32(y)) for x, y in centres])
    nearest = f32(centres)[ranges.argmin(axis=0)]
    return ranges.min(axis=0), np.arctan2(Y - nearest[..., 1], X - nearest[..., 0])


def _lettering(text: str, at: tuple[int, int], scale: float) -> FloatMap:
    """1 inside the strokes of a marking; `at` is relative to the part's centre in px."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    origin = (at[0] + WIDTH // 2, at[1] + HEIGHT // 2)
    cv2.putText(ink, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    return f32(cv2.GaussianBlur(ink, (3, 3), 0.7)) / 255


def _flange() -> Relief:
    """A turned steel flange: hub, bore, counterbored bolt holes, a seal groove, chamfers."""
    r, bearing = np.hypot(X, Y), np.arctan2(Y, X)
    spokes = np.deg2rad(np.arange(6) * 60)
    hole, around = _nearest([(122 * float(np.cos(a)), 122 * float(np.sin(a))) for a in spokes])
    height = 18 - 5 * _ramp(r - 158, 6) + 8 * _ramp(86 - r, 6) - 5 * _ramp(53 - r, 6)
    height -= 2.2 * np.exp(-(((r - 99) / 1.8) ** 2)) + 4 * _ramp(21 - hole, 2.5)
    height -= 2.5 * _ramp(13.5 - hole, 2.5)
    mark = _lettering("F204-16", (-33, 150), 0.42)
    cover = _ramp(164.5 - r, 1) * _ramp(r - 46.5, 1) * _ramp(hole - 10.5, 1)
    grain = np.where(hole < 21, around, bearing) + np.float32(np.pi / 2)
    return Relief(height - 0.3 * mark, cover, 1 - 0.5 * mark, grain, (0.1, 0.44))


def _housing() -> Relief:
    """A moulded plastic lid: rounded rim, raised panel with grip ribs, screw bosses, a window."""
    edge = _box(X, Y, (208, 158), 38)
    hole, _ = _nearest([(x, y) for x in (-172.0, 172.0) for y in (-122.0, 122.0)])
    panel = _box(X, Y + 4, (138, 124), 20)
    ribs = np.max([_box(X, Y - y, (104, 4.5), 4.5) for y in range(-20, 101, 24)], axis=0)
    window = _box(X + 62, Y + 76, (44, 22), 8)
    height = 10 + 8 * np.sin(_ramp(edge, 16) * np.float32(np.pi / 2)) + 6 * _ramp(panel, 7)
    height += 5 * _ramp(ribs + 2, 5) - 5 * _ramp(window, 4)
    height += 4 * _ramp(27 - hole, 4) - 4 * _ramp(15 - hole, 3)
    mark = _lettering("ABS  LX-40", (8, -72), 0.5)
    cover = _ramp(edge + 0.5, 1) * _ramp(hole - 7.5, 1)
    flat = np.zeros_like(edge)
    return Relief(height + 1.5 * mark, cover, 1 + flat, flat, (0.3, 0.3))


def _fixture() -> Relief:
    """Under the machined part: a dark milled plate with a round recess, slots and screws."""
    r, noise = np.hypot(X, Y), np.random.default_rng(7).standard_normal((HEIGHT, WIDTH))
    screw, _ = _nearest([(x, y) for x in (-282.0, 282.0) for y in (-202.0, 202.0)])
    slot = _box(np.abs(X) - 240, Y, (44, 15), 15)
    socket = _box(np.minimum(screw, 40), screw * 0, (6, 6), 3)
    height = -4 * _ramp(184 - r, 4) - 7 * _ramp(slot, 3) - 3 * _ramp(20 - screw, 2)
    height += 5 * _ramp(15 - screw, 3) - 5 * _ramp(socket, 1.5)
    milled = cv2.GaussianBlur(f32(noise), (0, 0), sigmaX=14, sigmaY=0.6)
    albedo = 1 + 0.5 * milled + 1.2 * _ramp(15 - screw, 1)
    return Relief(f32(height), np.ones_like(albedo), albedo, X * 0, (0.5, 0.2))


def _belt() -> Relief:
    """Under the moulded part: a dark conveyor belt with a woven face and a seam at each side."""
    noise = f32(np.random.default_rng(8).standard_normal((HEIGHT, WIDTH)))
    weave = np.sin(X * 1.25) * np.sin(Y * 1.25) + 0.5 * np.sin((X + Y) * 0.31)
    height = 0.16 * weave + 3 * _ramp(np.abs(Y) - 216, 5)
    fine, coarse = cv2.GaussianBlur(noise, (0, 0), 1.2), cv2.GaussianBlur(noise, (0, 0), 9)
    albedo = 1 + 0.1 * fine + 0.5 * coarse
    return Relief(f32(height), np.ones_like(albedo), albedo, X * 0, (0.4, 0.4))


class Kind(NamedTuple):
    """A kind of part: geometry and material. Colours are BGR for full light, in gray levels."""

    part: Relief
    background: Relief
    colours: tuple[tuple[float, float, float], ...]  # of diffuse, glossy and background light
    texture: tuple[float, float]  # natural variation (1 sigma) of diffuse and glossy light
    turned: bool


def kind_of(name: str) -> Kind:
    """The kind with a name. Raises ValueError where it is none of KINDS."""
    if name == "machined":
        steel = (80.0, 78.0, 76.0), (235.0, 232.0, 227.0), (44.0, 40.0, 38.0)
        return Kind(_flange(), _fixture(), steel, (0.06, 0.2), True)
    if name == "moulded":
        plastic = (118.0, 92.0, 66.0), (70.0, 70.0, 70.0), (30.0, 32.0, 28.0)
        return Kind(_housing(), _belt(), plastic, (0.028, 0.06), False)
    raise ValueError(f"unknown kind of part {name!r}: expected one of {', '.join(KINDS)}")
