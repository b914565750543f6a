"""A simulated production line as a camera: photographs of good and of defective parts.

The product of a kind (its geometry, material and the place under the lamp) is a relief that is
lit once, when the line is built. A part is then a cheap draw from these maps: fresh surface
texture, the lamp's drift, a pose, optionally one flaw, and at last what lens and sensor add.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera.simulated import defects
from edge.camera.simulated.defects import FloatMap, f32

KINDS = ("machined", "moulded")

_H, _W = 480, 640
_DRIFT_PERIOD = 150.0  # parts per swing of the lamp's brightness
_DRIFT_GAIN = 0.06
_SHIFT_PX, _TURN_DEG = 6.0, 3.0
_LAMPS = ((-330.0, -400.0, 520.0, 1.0), (520.0, 260.0, 600.0, 0.38))  # x, y, z in px, power
_LAMP_SWING_DEG = 5.0
_NOISE_SHARE, _DARK = np.float32(0.0085), 130.0  # sigma is their product in the dark
_NOISE_MARGIN = 128  # px that the sheet of noise may be moved from part to part
_Y, _X = np.mgrid[:_H, :_W].astype(np.float32) - f32([[[_H / 2]], [[_W / 2]]])


class Part(NamedTuple):
    """One photograph (480 x 640 BGR) and what is wrong with the part in it."""

    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]  # 255 where the defect changed the picture visibly, else 0
    defect: str | None


class _Relief(NamedTuple):
    """A surface over the whole frame, part at the centre; heights in px towards the camera."""

    height: FloatMap
    cover: FloatMap  # 1 where there is material, 0 where one looks past or through it
    paint: FloatMap  # factor on the diffuse light
    swirl: FloatMap  # direction of the tool marks in rad
    rough: tuple[float, float]  # spread of the reflection along and across the marks


def _ramp(distance: FloatMap, width: float) -> FloatMap:
    """0 below zero distance, 1 beyond `width` px, a straight bevel between."""
    return f32(np.clip(distance / np.float32(width), 0, 1))


def _box(x: FloatMap, y: FloatMap, half: tuple[float, float], corner: float) -> FloatMap:
    """Distance in px inside (positive) a rounded rectangle around the origin."""
    qx, qy = np.abs(x) - half[0] + corner, np.abs(y) - half[1] + corner
    outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
    return (corner - outside - np.minimum(np.maximum(qx, qy), 0)).astype(np.float32)


def _nearest(centres: list[tuple[float, float]]) -> tuple[FloatMap, FloatMap]:
    """Distance in px to, and direction in rad from, the nearest of the centres."""
    ranges = np.stack([np.hypot(_X - np.float32(x), _Y - np.float32(y)) for x, y in centres])
    nearest = f32(centres)[ranges.argmin(axis=0)]
    return ranges.min(axis=0), np.arctan2(_Y - nearest[..., 1], _X - nearest[..., 0])


def _lettering(text: str, at: tuple[int, int], scale: float) -> FloatMap:
    """1 inside the strokes of a marking; `at` is relative to the part's centre in px."""
    ink = np.zeros((_H, _W), np.uint8)
    origin = (at[0] + _W // 2, at[1] + _H // 2)
    cv2.putText(ink, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    return cv2.GaussianBlur(ink, (3, 3), 0.7).astype(np.float32) / 255


def _flange() -> _Relief:
    """A turned steel flange: hub, bore, counterbored bolt holes, a seal groove, chamfers."""
    r, bearing = np.hypot(_X, _Y), np.arctan2(_Y, _X)
    spokes = np.deg2rad(np.arange(6) * 60)
    hole, around = _nearest([(122 * float(np.cos(a)), 122 * float(np.sin(a))) for a in spokes])
    height = 18 - 5 * _ramp(r - 158, 6) + 8 * _ramp(86 - r, 6) - 5 * _ramp(53 - r, 6)
    height -= 2.2 * np.exp(-(((r - 99) / 1.8) ** 2)) + 4 * _ramp(21 - hole, 2.5)
    height -= 2.5 * _ramp(13.5 - hole, 2.5)
    mark = _lettering("F204-16", (-33, 150), 0.42)
    cover = _ramp(164.5 - r, 1) * _ramp(r - 46.5, 1) * _ramp(hole - 10.5, 1)
    swirl = np.where(hole < 21, around, bearing) + np.float32(np.pi / 2)
    return _Relief(height - 0.3 * mark, cover, 1 - 0.5 * mark, swirl, (0.1, 0.44))


def _housing() -> _Relief:
    """A moulded plastic lid: rounded rim, raised panel with grip ribs, screw bosses, a window."""
    edge = _box(_X, _Y, (208, 158), 38)
    hole, _ = _nearest([(x, y) for x in (-172.0, 172.0) for y in (-122.0, 122.0)])
    panel = _box(_X, _Y + 4, (138, 124), 20)
    ribs = np.max([_box(_X, _Y - y, (104, 4.5), 4.5) for y in range(-20, 101, 24)], axis=0)
    window = _box(_X + 62, _Y + 76, (44, 22), 8)
    height = 10 + 8 * np.sin(_ramp(edge, 16) * np.float32(np.pi / 2)) + 6 * _ramp(panel, 7)
    height += 5 * _ramp(ribs + 2, 5) - 5 * _ramp(window, 4)
    height += 4 * _ramp(27 - hole, 4) - 4 * _ramp(15 - hole, 3)
    mark = _lettering("ABS  LX-40", (8, -72), 0.5)
    cover = _ramp(edge + 0.5, 1) * _ramp(hole - 7.5, 1)
    flat = np.zeros_like(edge)
    return _Relief(height + 1.5 * mark, cover, 1 + flat, flat, (0.3, 0.3))


def _nest() -> _Relief:
    """The machined part's place: a dark milled plate with a round recess, slots and screws."""
    r, grain = np.hypot(_X, _Y), np.random.default_rng(7).standard_normal((_H, _W))
    screw, _ = _nearest([(x, y) for x in (-282.0, 282.0) for y in (-202.0, 202.0)])
    slot = _box(np.abs(_X) - 240, _Y, (44, 15), 15)
    socket = _box(np.minimum(screw, 40), screw * 0, (6, 6), 3)
    height = -4 * _ramp(184 - r, 4) - 7 * _ramp(slot, 3) - 3 * _ramp(20 - screw, 2)
    height += 5 * _ramp(15 - screw, 3) - 5 * _ramp(socket, 1.5)
    milled = cv2.GaussianBlur(grain.astype(np.float32), (0, 0), sigmaX=14, sigmaY=0.6)
    paint = 1 + 0.5 * milled + 1.2 * _ramp(15 - screw, 1)
    return _Relief(height.astype(np.float32), paint * 0 + 1, paint, _X * 0, (0.5, 0.2))


def _belt() -> _Relief:
    """The moulded part's place: a dark conveyor belt with a woven face and a seam at each side."""
    grain = np.random.default_rng(8).standard_normal((_H, _W)).astype(np.float32)
    weave = np.sin(_X * 1.25) * np.sin(_Y * 1.25) + 0.5 * np.sin((_X + _Y) * 0.31)
    height = 0.16 * weave + 3 * _ramp(np.abs(_Y) - 216, 5)
    paint = (
        1 + 0.1 * cv2.GaussianBlur(grain, (0, 0), 1.2) + 0.5 * cv2.GaussianBlur(grain, (0, 0), 9)
    )
    return _Relief(height.astype(np.float32), paint * 0 + 1, paint, _X * 0, (0.4, 0.4))


def _lit(relief: _Relief, turn_deg: float) -> tuple[FloatMap, FloatMap]:
    """Matt (Lambert) and glossy (Ward) light of the relief, lamps turned about the optical axis."""
    smooth = cv2.GaussianBlur(relief.height, (0, 0), 0.9)
    nx = -cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8).astype(np.float32)
    ny = -cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8).astype(np.float32)
    nz = f32(1 / np.sqrt(1 + nx * nx + ny * ny))
    nx, ny = nx * nz, ny * nz
    tx, ty = np.cos(relief.swirl), np.sin(relief.swirl)
    lean = nx * tx + ny * ty
    matt, gloss = 0.3 * nz, 0 * nz
    for lamp in _LAMPS:
        lx, ly, lz = _towards(lamp, turn_deg)
        matt += lamp[3] * np.maximum(nx * lx + ny * ly + nz * lz, 0)
        facing = nx * lx + ny * ly + nz * (lz + 1)  # of the half vector, which is l + v
        along = lx * tx + ly * ty - lean * facing
        across = np.maximum(2 + 2 * lz - facing**2 - along**2, 0)
        spread = (along / relief.rough[0]) ** 2 + across / relief.rough[1] ** 2
        gloss += lamp[3] * np.exp(-spread / np.maximum(facing, 0.1) ** 2)
    return matt * relief.paint, gloss


def _towards(lamp: tuple[float, ...], turn_deg: float) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Unit vectors from every pixel to a lamp."""
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    lx, ly = np.float32(c * lamp[0] - s * lamp[1]) - _X, np.float32(s * lamp[0] + c * lamp[1]) - _Y
    near = 1 / np.sqrt(lx * lx + ly * ly + np.float32(lamp[2]) ** 2)
    return lx * near, ly * near, near * np.float32(lamp[2])


def _shade(height: FloatMap) -> FloatMap:
    """Share of the light that reaches each pixel past its surroundings: soft shadow, corners."""
    blocked = np.zeros_like(height)
    for step in range(2, 30, 2):
        move = f32([[1, 0, 0.64 * step], [0, 1, 0.77 * step]])
        blocker = cv2.warpAffine(height, move, (_W, _H), borderMode=cv2.BORDER_REPLICATE)
        blocked = np.maximum(blocked, blocker - height - np.float32(step))
    shadow = cv2.GaussianBlur(np.clip(blocked / 4, 0, 1), (0, 0), 2.5)
    corner = np.maximum(cv2.GaussianBlur(height, (0, 0), 9) - height, 0)
    return f32((1 - 0.55 * shadow) / (1 + 0.07 * corner))


class _Look(NamedTuple):
    """What a kind is made of; colours are BGR for full light, in grey levels."""

    part: _Relief
    place: _Relief
    matt: tuple[float, float, float]
    gloss: tuple[float, float, float]
    floor: tuple[float, float, float]
    texture: tuple[float, float]  # natural variation (1 sigma) of matt and glossy light
    turned: bool


def _look(kind: str) -> _Look:
    if kind == "machined":
        steel = (80.0, 78.0, 76.0), (235.0, 232.0, 227.0), (44.0, 40.0, 38.0)
        return _Look(_flange(), _nest(), *steel, (0.06, 0.2), True)
    if kind == "moulded":
        plastic = (118.0, 92.0, 66.0), (70.0, 70.0, 70.0), (30.0, 32.0, 28.0)
        return _Look(_housing(), _belt(), *plastic, (0.028, 0.06), False)
    raise ValueError(f"unknown kind of part {kind!r}: expected one of {', '.join(KINDS)}")


def _texture_index(turned: bool) -> NDArray[np.intp]:
    """Where each pixel reads the run of noise that is the surface's texture.

    Turning marks are one long spiral, as the tool leaves them; so no seam shows anywhere.
    """
    if turned:
        lap = np.mod(np.arctan2(_Y, _X) / (2 * np.pi), 1)
        row, column = np.floor(np.hypot(_X, _Y) / 0.8 - lap + 1), lap * _W
    else:
        row, column = _Y + _H // 2, _X + _W // 2
    return np.asarray(row * _W + column, np.intp)


def _texture_run(turned: bool) -> FloatMap:
    """A run of noise (1 sigma is 1) twice as long as any part reads."""
    draws = np.random.default_rng(9).standard_normal((2 * _H + 140, _W), np.float32)
    if turned:
        noise = f32(cv2.blur(cv2.blur(draws.reshape(1, -1), (150, 1)), (150, 1)))
    else:
        wrapped = np.hstack([draws[:, -64:], draws, draws[:, :64]])  # rows run on without a seam
        noise = 0.6 * draws + 16 * f32(cv2.GaussianBlur(wrapped, (0, 0), 12))[:, 64:-64]
    return f32(noise / noise.std()).ravel()


class PartRenderer:
    """A production line that makes one kind of part; `seed` is the run of production."""

    def __init__(self, kind: str = "machined", seed: int = 0) -> None:
        """Light the product of the kind; ValueError if the kind is none of KINDS."""
        look = self._look = _look(kind)
        self._seed = seed
        solid = look.part.height * (look.part.cover > 0.5)
        shade, self._cover = _shade(solid), look.part.cover
        lit = [_lit(look.part, turn) for turn in (-_LAMP_SWING_DEG, _LAMP_SWING_DEG)]
        self._matt = lit[0][0] * self._cover * shade
        self._gloss = [gloss * self._cover * shade for _, gloss in lit]
        self._past = (1 - self._cover) * shade
        self._place = sum(_lit(look.place, 0)) * _shade(look.place.height)
        self._index, self._run = _texture_index(look.turned), _texture_run(look.turned)
        self._sites = defects.sites(self._cover)
        size = (_H + _NOISE_MARGIN, _W + _NOISE_MARGIN, 3)
        noise = np.random.default_rng((seed, 1)).standard_normal(size, np.float32)
        self._noise = 1 + _NOISE_SHARE * noise

    def part(self, index: int, *, defective: bool = False, empty: bool = False) -> Part:
        """The photograph of part `index`; `empty` shows its place without it.

        A pure function of the arguments, the kind and the seed. A defective part is the good part
        of the same index plus one flaw.
        """
        rng = np.random.default_rng((self._seed, index, 11))
        phase = 2 * np.pi * (index / _DRIFT_PERIOD + np.random.default_rng(self._seed).random())
        gain = 1 + _DRIFT_GAIN * np.sin(phase) + rng.normal(0, 0.003)
        truth, defect = np.zeros((_H, _W), np.uint8), None
        if empty:
            scene = self._coloured(0 * self._past, 0 * self._past, 0 * self._past + 1, gain)
        else:
            scene, pose = self._laid(rng, 0.5 + 0.5 * np.cos(phase), gain)
        if defective and not empty:
            draw = np.random.default_rng((self._seed, index, 12))
            defect, truth = defects.spoil(scene, self._cover, self._sites, pose, draw)
        return Part(self._sensed(scene, rng), truth, defect)

    def _laid(self, rng: np.random.Generator, swing: float, gain: float) -> tuple[FloatMap, ...]:
        """A fresh good part in its place: the scene in grey levels, and the part's pose (2 x 3)."""
        texture = self._run[rng.integers(_H * _W) :].take(self._index)
        spread = self._look.texture
        matt = self._matt * (1 + spread[0] * texture)
        gloss = f32(cv2.addWeighted(self._gloss[0], 1 - swing, self._gloss[1], swing, 0))
        gloss = gloss * np.maximum(1 + spread[1] * texture, 0)
        pose = cv2.getRotationMatrix2D((_W / 2, _H / 2), rng.uniform(-_TURN_DEG, _TURN_DEG), 1)
        pose = f32(pose + [[0, 0, shift] for shift in rng.uniform(-_SHIFT_PX, _SHIFT_PX, 2)])
        # One plane at a time: several times faster than one picture of three channels.
        matt, gloss = (f32(cv2.warpAffine(plane, pose, (_W, _H))) for plane in (matt, gloss))
        past = f32(cv2.warpAffine(self._past, pose, (_W, _H), borderValue=1))
        return self._coloured(matt, gloss, past, gain), pose

    def _coloured(self, matt: FloatMap, gloss: FloatMap, past: FloatMap, gain: float) -> FloatMap:
        """The part's light and the light that passes it as BGR grey levels, through the lens."""
        layers = cv2.GaussianBlur(cv2.merge([matt, gloss, past * self._place]), (3, 3), 0.7)
        inks = f32([self._look.matt, self._look.gloss, self._look.floor]).T
        return f32(cv2.transform(layers, inks * np.float32(gain)))

    def _sensed(self, scene: FloatMap, rng: np.random.Generator) -> NDArray[np.uint8]:
        """What the sensor makes of grey levels: noise that grows with the light, 8 bits."""
        x, y = rng.integers(_NOISE_MARGIN, size=2)
        light = cv2.multiply(scene + _DARK, self._noise[y : y + _H, x : x + _W])
        return np.asarray(cv2.convertScaleAbs(light, beta=-_DARK), np.uint8)
