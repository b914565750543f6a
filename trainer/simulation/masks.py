"""Masks of simulated anomalies: opacities [count, height, width] in 0..1, hard or with soft edges.

Perlin noise scatters patches over the whole image; real defects are often one spot or one line.
"""

import math

import torch
from torch import Generator, Tensor

from trainer.simulation.perlin import perlin, smooth, uniform
from trainer.simulation.textures import rotated_grid

NOISE_CELLS = 9


def perlin_masks(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Perlin noise above a random threshold, 0.3 to 0.7 around the authors' fixed 0.5; hard."""
    noise = perlin(count, height, width, generator)
    return (noise > _uniform(count, 0.3, 0.7, generator)).float()


def soft_perlin_masks(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """The same, but half of the images have soft edges."""
    noise = perlin(count, height, width, generator)
    threshold = _uniform(count, 0.3, 0.7, generator)
    soft = (_uniform(count, 0, 1, generator) < 0.5) * _uniform(count, 0.01, 0.25, generator)
    return _edge(noise - threshold, soft + 1e-3)


def spots(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """One spot an image: an ellipse of uneven outline, 0.8 to 25 % of the image in radius."""
    v, u = _grid_around_a_point(count, height, width, generator)
    radius = _uniform(count, math.log(0.008), math.log(0.25), generator).exp()
    ratio = _uniform(count, 0.4, 1, generator)
    distance = ((v / radius).square() + (u / (radius * ratio)).square()).sqrt()
    distance += 1.2 * _smooth_noise(count, height, width, generator)
    return _edge(1 - distance, _uniform(count, 0.05, 0.8, generator))


def lines(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """One scratch or crack an image: an uneven curve of 0.3 to 4 % of the image in width."""
    v, u = _grid_around_a_point(count, height, width, generator)
    bend, unevenness = _uniform(count, -1, 1, generator), _uniform(count, 0, 0.12, generator)
    half_width = _uniform(count, math.log(0.0015), math.log(0.02), generator).exp()
    offset = unevenness * _smooth_noise(count, height, width, generator)
    distance = (v - bend * u * u + offset).abs()
    pixel = 1 / max(height, width)
    along = _edge(_uniform(count, 0.05, 0.4, generator) - u.abs(), torch.tensor(4 * pixel))
    return _edge(half_width - distance, torch.tensor(pixel)) * along


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    """One random number an image, [count, 1, 1]."""
    return uniform(count, low, high, generator)[:, 0]


def _edge(inside: Tensor, softness: Tensor) -> Tensor:
    """0 to 1 over `softness` where `inside` changes its sign."""
    return (inside / softness).add_(0.5).clamp_(0, 1)


def _grid_around_a_point(
    count: int, height: int, width: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Rotated coordinates relative to a random point of each image, one unit per image."""
    v, u = rotated_grid(count, height, width, generator)
    row = _uniform(count, 0.1, 0.9, generator).mul(height - 1).long()
    column = _uniform(count, 0.1, 0.9, generator).mul(width - 1).long()
    which = torch.arange(count, device=generator.device)[:, None, None]
    return v - v[which, row, column], u - u[which, row, column]


def _smooth_noise(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Smooth noise of about -0.5 to 0.5."""
    size = (count, 1, NOISE_CELLS, NOISE_CELLS)
    noise = torch.rand(size, generator=generator, device=generator.device) - 0.5
    return smooth(noise, height, width)[:, 0]
