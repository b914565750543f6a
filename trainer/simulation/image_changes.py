"""Changes of the image itself that simulated anomalies are made of, beside textures.

Each takes good images [N, 3, H, W] in 0..1 and returns what is blended in where the mask is.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from trainer.simulation.perlin import sample, smooth, uniform

ImageChange = Callable[[Tensor, Generator], Tensor]
"""(images, generator) -> images of the same shape."""

MAX_BLUR = 8


def displaced(images: Tensor, generator: Generator) -> Tensor:
    """Another place of one of the images, rotated, scaled, and a little lighter or darker."""
    count, device = len(images), generator.device
    other = torch.randperm(count, generator=generator, device=device)
    angle = uniform(count, -math.pi, math.pi, generator)[:, 0, 0, 0]
    scale = uniform(count, 0.6, 1.4, generator)[:, 0, 0, 0]
    shift = torch.rand(count, 2, 1, generator=generator, device=device) * 1.2 - 0.6
    cos, sin = angle.cos() * scale, angle.sin() * scale
    rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    grid = affine_grid(torch.cat([rotation, shift], 2), list(images.shape), align_corners=False)
    moved = grid_sample(images[other], grid, padding_mode="reflection", align_corners=False)
    gain = uniform(count, 0.8, 1.2, generator)
    return moved.mul_(gain).add_(uniform(count, -0.1, 0.1, generator)).clamp_(0, 1)


def shaded(images: Tensor, generator: Generator) -> Tensor:
    """Lighter or darker, of more or less contrast, with a tint where the images have colours."""
    count = len(images)
    offset = uniform(count, -0.4, 0.4, generator)
    gray = (images[:, :1] == images[:, 1:]).all()
    if not gray:
        tint = torch.rand(count, 3, 1, 1, generator=generator, device=generator.device)
        offset = offset + 0.2 * (tint - 0.5)
    return (images * uniform(count, 0.4, 1.6, generator)).add_(offset).clamp_(0, 1)


def warped(images: Tensor, generator: Generator) -> Tensor:
    """Bent smoothly: every point is moved by up to a fifth of the image."""
    count, _, height, width = images.shape
    device = generator.device
    coarse = torch.rand(count, 2, 6, 6, generator=generator, device=device) - 0.5
    shift = smooth(coarse * uniform(count, 0.1, 0.8, generator), height, width)
    y = torch.linspace(1 / height - 1, 1 - 1 / height, height, device=device)[:, None]
    x = torch.linspace(1 / width - 1, 1 - 1 / width, width, device=device)
    return sample(images, shift[:, 0] + x, shift[:, 1] + y)


def blurred(images: Tensor, generator: Generator) -> Tensor:
    """Out of focus: without fine detail."""
    device = generator.device
    factor = int(torch.randint(3, MAX_BLUR + 1, (1,), generator=generator, device=device))
    height, width = images.shape[-2:]
    small = interpolate(images, (-(-height // factor), -(-width // factor)), mode="area")
    return interpolate(small, (height, width), mode="bilinear", align_corners=False)
