"""Textures of simulated anomalies: procedures by default, pictures on request."""

import math
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from edge.images import read_images
from trainer.anomaly import TextureSource, uniform

OCTAVES = 5
CELLS = 12


def _grid(count: int, height: int, width: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Coordinates [count, height, width], turned by a random angle, one unit per image."""
    angle = uniform(count, 0, 2 * math.pi, generator)[:, 0]
    y = torch.linspace(0, 1, height, device=generator.device)[None, :, None]
    x = torch.linspace(0, 1, width, device=generator.device)[None, None, :]
    return y * angle.cos() + x * angle.sin(), x * angle.cos() - y * angle.sin()


def _octaves(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Value noise [count, height, width]: octaves whose strengths are drawn for each image."""
    total = torch.zeros(count, 1, height, width, device=generator.device)
    for octave in range(OCTAVES):
        cells = 4 * 2**octave
        noise = torch.rand(count, 1, cells, cells, generator=generator, device=generator.device)
        layer = interpolate(noise, (height, width), mode="bilinear", align_corners=True)
        total += (layer - 0.5) * uniform(count, 0, 1, generator)
    return (total[:, 0] + 0.5).clamp(0, 1)


def _stripes(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Parallel bars, soft or hard, of 2 to 40 periods an image."""
    v, _ = _grid(count, height, width, generator)
    periods, sharpness = uniform(count, 2, 40, generator)[:, 0], uniform(count, 1, 8, generator)
    waves = torch.sin(v * periods * 2 * math.pi) * sharpness[:, 0]
    return (0.5 + waves).clamp(0, 1)


def _checks(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """A chessboard of 2 to 30 fields an image, turned."""
    v, u = _grid(count, height, width, generator)
    fields = uniform(count, 2, 30, generator)[:, 0]
    return ((v * fields).floor() + (u * fields).floor()) % 2


def _cells(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Distance to the nearest of a few random points, repeated three times: cells and grains."""
    v, u = _grid(count, height, width, generator)
    v, u = (3 * v) % 1, (3 * u) % 1
    nearest = torch.full_like(v, 2.0)
    points = torch.rand(count, CELLS, 2, generator=generator, device=generator.device)
    for i in range(CELLS):
        dy, dx = v - points[:, i, 0, None, None], u - points[:, i, 1, None, None]
        nearest = torch.minimum(nearest, dy * dy + dx * dx)
    return (nearest.sqrt() * 3).clamp(0, 1)


def _plain(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """One flat colour an image."""
    return torch.zeros(count, height, width, device=generator.device)


PATTERNS = (_octaves, _stripes, _checks, _cells, _plain)


def procedural(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Textures [count, 3, height, width] in 0..1: random patterns between two random colours."""
    kinds = torch.randint(
        0, len(PATTERNS), (count,), generator=generator, device=generator.device
    ).tolist()
    pattern = torch.cat([PATTERNS[kind](1, height, width, generator) for kind in kinds])[:, None]
    shape = (2, count, 3, 1, 1)
    colours = torch.rand(shape, generator=generator, device=generator.device)
    return torch.lerp(colours[0].expand(-1, -1, height, width), colours[1], pattern)


def pictures(folder: Path, device: torch.device) -> TextureSource:
    """Random crops, at random scales, of the pictures under `folder`."""
    images = [
        torch.from_numpy(image).to(device).permute(2, 0, 1).float() / 255
        for _, image in read_images(folder)
    ]

    def source(count: int, height: int, width: int, generator: Generator) -> Tensor:
        def crop() -> Tensor:
            draw = torch.rand(4, generator=generator, device=generator.device).tolist()
            image = images[int(draw[0] * len(images))]
            rows = max(16, int(image.shape[1] * (0.3 + 0.7 * draw[1])))
            columns = max(16, int(image.shape[2] * (0.3 + 0.7 * draw[1])))
            top = int(draw[2] * (image.shape[1] - rows + 1))
            left = int(draw[3] * (image.shape[2] - columns + 1))
            piece = image[None, :, top : top + rows, left : left + columns]
            return interpolate(piece, (height, width), mode="bilinear", align_corners=False)

        return torch.cat([crop() for _ in range(count)])

    return source
