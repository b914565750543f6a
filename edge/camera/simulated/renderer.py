"""Photographs of the good and defective parts of a simulated line, one kind of part a renderer.

The geometry of a kind is lit once. A part is then a cheap random draw from these maps: fresh
surface texture, the lamp's drift, a pose, maybe one defect, and the effects of lens and sensor.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera.simulated.add_defect import add_defect, find_sites
from edge.camera.simulated.drawing import FloatMap, Mask, Rng, f32
from edge.camera.simulated.lighting import reflected, unshaded
from edge.camera.simulated.part_kinds import HEIGHT, WIDTH, X, Y, kind_of

_DRIFT_PERIOD = 150.0  # parts for each cycle of the lamp's brightness
_DRIFT_GAIN = 0.06
_SHIFT_PX, _TURN_DEG = 6.0, 3.0
_LAMP_SWING_DEG = 5.0
_NOISE_SHARE, _DARK = np.float32(0.0085), 130.0  # sigma is their product in the dark
_NOISE_MARGIN = 128  # px by which the noise is shifted at random, anew for each part


class Part(NamedTuple):
    """One photograph (480 x 640 BGR) and what is wrong with the part in it."""

    image: NDArray[np.uint8]
    truth: Mask  # 255 where the defect changed the picture visibly, else 0
    defect: str | None


def _texture_index(turned: bool) -> NDArray[np.intp]:
    """Where each pixel reads the noise that is the surface's texture.

    Turning marks are one long spiral, as the tool leaves them, so no seam is visible.
    """
    if turned:
        lap = np.mod(np.arctan2(Y, X) / (2 * np.pi), 1)
        row, column = np.floor(np.hypot(X, Y) / 0.8 - lap + 1), lap * WIDTH
    else:
        row, column = Y + HEIGHT // 2, X + WIDTH // 2
    return np.asarray(row * WIDTH + column, np.intp)


def _texture_noise(turned: bool) -> FloatMap:
    """One row of noise (1 sigma is 1), twice as long as any part reads."""
    draws = np.random.default_rng(9).standard_normal((2 * HEIGHT + 140, WIDTH), np.float32)
    if turned:
        noise = f32(cv2.blur(cv2.blur(draws.reshape(1, -1), (150, 1)), (150, 1)))
    else:
        wrapped = np.hstack([draws[:, -64:], draws, draws[:, :64]])  # no seam between two rows
        noise = 0.6 * draws + 16 * f32(cv2.GaussianBlur(wrapped, (0, 0), 12))[:, 64:-64]
    return f32(noise / noise.std()).ravel()


class PartRenderer:
    """A production line that makes one kind of part; `seed` is the production run."""

    def __init__(self, kind: str = "machined", seed: int = 0) -> None:
        """Light the geometry of the kind. Raises ValueError where it is none of KINDS."""
        self._kind, self._seed = kind_of(kind), seed
        part, background, *_ = self._kind
        self._cover, shade = part.cover, unshaded(part.height * (part.cover > 0.5))
        lit = [reflected(part, turn) for turn in (-_LAMP_SWING_DEG, _LAMP_SWING_DEG)]
        self._diffuse = lit[0][0] * self._cover * shade
        self._gloss = [gloss * self._cover * shade for _, gloss in lit]
        self._uncovered = (1 - self._cover) * shade
        self._background = sum(reflected(background, 0)) * unshaded(background.height)
        self._texture_index = _texture_index(self._kind.turned)
        self._texture = _texture_noise(self._kind.turned)
        self._sites = find_sites(self._cover)
        size = (HEIGHT + _NOISE_MARGIN, WIDTH + _NOISE_MARGIN, 3)
        noise = np.random.default_rng((seed, 1)).standard_normal(size, np.float32)
        self._sensor_noise = 1 + _NOISE_SHARE * noise

    def part(self, index: int, *, defective: bool = False, empty: bool = False) -> Part:
        """The photograph of part `index`; `empty` shows its place without it.

        A pure function of the arguments, the kind and the seed. A defective part is the good part
        of the same index plus one defect.
        """
        rng = np.random.default_rng((self._seed, index, 11))
        phase = 2 * np.pi * (index / _DRIFT_PERIOD + np.random.default_rng(self._seed).random())
        gain = 1 + _DRIFT_GAIN * np.sin(phase) + rng.normal(0, 0.003)
        truth, defect = np.zeros((HEIGHT, WIDTH), np.uint8), None
        if empty:
            dark = 0 * self._uncovered
            scene = self._coloured(dark, dark, dark + 1, gain)
        else:
            scene, pose = self._good_part(rng, 0.5 + 0.5 * np.cos(phase), gain)
            if defective:
                draw = np.random.default_rng((self._seed, index, 12))
                defect, truth = add_defect(scene, self._cover, self._sites, pose, draw)
        return Part(self._exposed(scene, rng), truth, defect)

    def _good_part(self, rng: Rng, swing: float, gain: float) -> tuple[FloatMap, FloatMap]:
        """A new good part in its place: the scene in gray levels, and the part's pose (2 x 3)."""
        texture = self._texture[rng.integers(HEIGHT * WIDTH) :].take(self._texture_index)
        spread = self._kind.texture
        diffuse = self._diffuse * (1 + spread[0] * texture)
        gloss = f32(cv2.addWeighted(self._gloss[0], 1 - swing, self._gloss[1], swing, 0))
        gloss = gloss * np.maximum(1 + spread[1] * texture, 0)
        pose = cv2.getRotationMatrix2D(
            (WIDTH / 2, HEIGHT / 2), rng.uniform(-_TURN_DEG, _TURN_DEG), 1
        )
        pose = f32(pose + [[0, 0, shift] for shift in rng.uniform(-_SHIFT_PX, _SHIFT_PX, 2)])
        # One plane at a time: several times faster than one picture of three channels.
        diffuse, gloss = (f32(cv2.warpAffine(p, pose, (WIDTH, HEIGHT))) for p in (diffuse, gloss))
        uncovered = f32(cv2.warpAffine(self._uncovered, pose, (WIDTH, HEIGHT), borderValue=1))
        return self._coloured(diffuse, gloss, uncovered, gain), pose

    def _coloured(
        self, diffuse: FloatMap, gloss: FloatMap, uncovered: FloatMap, gain: float
    ) -> FloatMap:
        """The part's light and the background's as BGR gray levels, blurred by the lens."""
        layers = cv2.merge([diffuse, gloss, uncovered * self._background])
        colours = f32(self._kind.colours).T
        return f32(cv2.transform(cv2.GaussianBlur(layers, (3, 3), 0.7), colours * np.float32(gain)))

    def _exposed(self, scene: FloatMap, rng: Rng) -> NDArray[np.uint8]:
        """Gray levels as the sensor gives them: 8 bits, with noise that grows with the light."""
        x, y = rng.integers(_NOISE_MARGIN, size=2)
        light = cv2.multiply(scene + _DARK, self._sensor_noise[y : y + HEIGHT, x : x + WIDTH])
        return np.asarray(cv2.convertScaleAbs(light, beta=-_DARK), np.uint8)
