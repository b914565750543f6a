"""Simulated anomalies, made in batches on the training device: mask, texture, opacity.

Every random number comes from one generator, so the same seed gives the same batches.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

TextureSource = Callable[[int, int, int, Generator], Tensor]
"""(count, height, width, generator) -> textures [count, 3, height, width] in 0..1."""

LATTICE = (
    64  # Perlin's gradients repeat after so many cells: more than any scale and rotation needs
)
MAX_EXPONENT = 5  # scales of 1 to 32 cells an image, as in the authors' code


class Simulated(NamedTuple):
    """A batch for one step: images [N, 3, H, W] and where they were changed [N, H, W], 0 or 1."""

    images: Tensor
    mask: Tensor


def uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    """`count` numbers in low..high on the generator's device, shaped to broadcast over images."""
    drawn = torch.rand(count, 1, 1, 1, generator=generator, device=generator.device)
    return low + (high - low) * drawn


def perlin(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """One octave of Perlin noise [count, height, width] in about -1..1, turned by a random angle.

    Scales are 2^0 .. 2^5 cells per image and axis. Any size will do: the lattice repeats.
    """
    device = generator.device
    exponents = torch.randint(
        0, MAX_EXPONENT + 1, (2, count, 1, 1), generator=generator, device=device
    )
    angle = uniform(count, -math.pi / 2, math.pi / 2, generator)[:, 0]
    shift = torch.rand(2, count, 1, 1, generator=generator, device=device) * LATTICE
    y = torch.linspace(-0.5, 0.5, height, device=device)[None, :, None]
    x = torch.linspace(-0.5, 0.5, width, device=device)[None, None, :]
    rotated = (y * angle.cos() + x * angle.sin(), x * angle.cos() - y * angle.sin())
    v = rotated[0] * 2 ** exponents[0] + shift[0]
    u = rotated[1] * 2 ** exponents[1] + shift[1]
    turns = torch.rand(count, LATTICE * LATTICE, generator=generator, device=device) * 2 * math.pi
    return _gradient_noise(v, u, turns.cos(), turns.sin()) * math.sqrt(2)


def _gradient_noise(v: Tensor, u: Tensor, grad_v: Tensor, grad_u: Tensor) -> Tensor:
    """Perlin's interpolation of the gradients at the four corners of each point's cell."""
    row, column = v.floor(), u.floor()
    dv, du = v - row, u - column

    def corner(down: int, right: int) -> Tensor:
        cell = ((row.long() + down) % LATTICE) * LATTICE + (column.long() + right) % LATTICE
        flat = cell.flatten(1)
        slopes = grad_v.gather(1, flat), grad_u.gather(1, flat)
        return slopes[0].view_as(v) * (dv - down) + slopes[1].view_as(v) * (du - right)

    fade_v, fade_u = (t * t * t * (t * (t * 6 - 15) + 10) for t in (dv, du))
    top = torch.lerp(corner(0, 0), corner(0, 1), fade_u)
    bottom = torch.lerp(corner(1, 0), corner(1, 1), fade_u)
    return torch.lerp(top, bottom, fade_v)


def draw_masks(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Anomaly masks [count, height, width], 0 or 1: Perlin noise above a random threshold.

    The threshold is drawn from 0.3 to 0.7 around the authors' fixed 0.5.
    """
    noise = perlin(count, height, width, generator)
    return (noise > uniform(count, 0.3, 0.7, generator)[:, 0]).float()


def jitter_colours(textures: Tensor, generator: Generator) -> Tensor:
    """Random contrast, brightness and inversion of textures [N, 3, H, W]."""
    count = len(textures)
    contrast = uniform(count, 0.5, 1.5, generator)
    brightness = uniform(count, -0.3, 0.3, generator)
    inverted = uniform(count, 0, 1, generator) < 0.2
    textures = torch.where(inverted, 1 - textures, textures)
    return ((textures - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def simulate(
    images: Tensor, textures: TextureSource, generator: Generator, *, good_share: float = 0.5
) -> Simulated:
    """Blend textures into good images [N, 3, H, W] (0..1) under Perlin masks.

    Opacity is drawn from 0.1 to 1.0 (the paper); `good_share` of the images stay as they are.
    """
    count, _, height, width = images.shape
    masks = draw_masks(count, height, width, generator)
    masks = masks * (uniform(count, 0, 1, generator)[:, 0] >= good_share)
    pasted = jitter_colours(textures(count, height, width, generator), generator)
    opacity = uniform(count, 0.1, 1.0, generator) * masks[:, None]
    return Simulated(torch.lerp(images, pasted, opacity), masks)
