"""Textures of simulated anomalies: procedural by default, or from pictures."""

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from edge.vision.image_files import read_images
from trainer.simulation.perlin import uniform

TextureSource = Callable[[int, int, int, Generator], Tensor]
"""(count, height, width, generator) -> fresh textures [count, 3, height, width] in 0..1."""

OCTAVES = 5
CELLS = 12
TAU = 2 * math.pi


def _octaves(v: Tensor, u: Tensor, generator: Generator) -> Tensor:
    """Value noise: octaves whose weights are drawn for each image."""
    count, height, width = v.shape
    total = torch.full((count, 1, 1, 1), 0.5, device=v.device)
    for octave in range(OCTAVES):
        cells = (4 * 2**octave,) * 2
        noise = torch.rand(count, 1, *cells, generator=generator, device=v.device) - 0.5
        total = interpolate(total, cells, mode="bilinear", align_corners=True)
        total += noise * uniform(count, 0, 1, generator)
    total = interpolate(total, (height, width), mode="bilinear", align_corners=True)
    return total[:, 0].clamp_(0, 1)


def _stripes(v: Tensor, u: Tensor, generator: Generator) -> Tensor:
    """Parallel bars, soft or hard, of 2 to 40 periods an image."""
    periods = uniform(len(v), 2 * TAU, 40 * TAU, generator)[:, 0]
    sharpness = uniform(len(v), 1, 8, generator)[:, 0]
    return torch.sin(v * periods).mul_(sharpness).add_(0.5).clamp_(0, 1)


def _checks(v: Tensor, u: Tensor, generator: Generator) -> Tensor:
    """A chessboard of 2 to 30 fields an image, rotated."""
    fields = uniform(len(v), 2, 30, generator)[:, 0]
    return ((v * fields).floor_() + (u * fields).floor_()) % 2


def _cells(v: Tensor, u: Tensor, generator: Generator) -> Tensor:
    """Distance to the nearest of a few random points, repeated three times: cells and grains."""
    v, u = (3 * v) % 1, (3 * u) % 1
    nearest = torch.full_like(v, 2.0)
    points = torch.rand(len(v), CELLS, 2, generator=generator, device=v.device)
    for i in range(CELLS):
        dy, dx = v - points[:, i, 0, None, None], u - points[:, i, 1, None, None]
        nearest = torch.minimum(nearest, dy.mul_(dy).addcmul_(dx, dx))
    return nearest.sqrt_().mul_(3).clamp_(0, 1)


def _plain(v: Tensor, u: Tensor, generator: Generator) -> Tensor:
    """One flat colour an image."""
    return torch.zeros_like(v)


Pattern = Callable[[Tensor, Tensor, Generator], Tensor]
"""(v, u, generator) -> pattern in 0..1, shaped like the rotated coordinates v and u [N, H, W]."""

PATTERNS: tuple[Pattern, ...] = (_octaves, _stripes, _checks, _cells, _plain)


def rotated_grid(
    count: int, height: int, width: int, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Coordinates [count, height, width], rotated by a random angle, one unit per image."""
    angle = uniform(count, 0, TAU, generator)[:, 0]
    y = torch.linspace(0, 1, height, device=generator.device)[None, :, None]
    x = torch.linspace(0, 1, width, device=generator.device)[None, None, :]
    return y * angle.cos() + x * angle.sin(), x * angle.cos() - y * angle.sin()


def two_colours(pattern: Tensor, generator: Generator) -> Tensor:
    """Patterns [N, H, W] as pictures [N, 3, H, W] between two random colours."""
    ends = torch.rand(2, len(pattern), 3, 1, 1, generator=generator, device=pattern.device)
    return ends[0] + pattern[:, None] * (ends[1] - ends[0])


def procedural(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Textures [count, 3, height, width] in 0..1: random patterns between two random colours."""
    kinds = torch.randint(0, len(PATTERNS), (count,), generator=generator, device=generator.device)
    v, u = rotated_grid(count, height, width, generator)
    pattern = torch.empty_like(v)
    for kind in sorted(set(kinds.tolist())):
        rows = (kinds == kind).nonzero()[:, 0]
        pattern[rows] = PATTERNS[kind](v[rows], u[rows], generator)
    return two_colours(pattern, generator)


def plain_colours(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """No texture at all: one colour [count, 3, height, width], as in the paper's ablation."""
    return two_colours(torch.zeros(count, height, width, device=generator.device), generator)


@lru_cache(maxsize=1)
def _read(folder: Path, device: torch.device) -> list[Tensor]:
    return [torch.from_numpy(image).to(device).permute(2, 0, 1) for _, image in read_images(folder)]


def pictures(folder: Path, device: torch.device) -> TextureSource:
    """Random crops, at random scales, of the pictures under `folder`; read once, kept as uint8."""
    images = _read(folder, device)

    def source(count: int, height: int, width: int, generator: Generator) -> Tensor:
        return torch.cat([_random_crop(images, height, width, generator) for _ in range(count)])

    return source


def _random_crop(images: list[Tensor], height: int, width: int, generator: Generator) -> Tensor:
    """A crop [1, 3, height, width] in 0..1 of a random one of the images [3, H, W]."""
    draw = torch.rand(4, generator=generator, device=generator.device).tolist()
    image = images[int(draw[0] * len(images))]
    rows, columns = (max(16, int(side * (0.3 + 0.7 * draw[1]))) for side in image.shape[1:])
    top = int(draw[2] * (image.shape[1] - rows + 1))
    left = int(draw[3] * (image.shape[2] - columns + 1))
    crop = image[None, :, top : top + rows, left : left + columns].float() / 255
    return interpolate(crop, (height, width), mode="bilinear", align_corners=False)
