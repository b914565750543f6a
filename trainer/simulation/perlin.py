"""Perlin noise of any size in batches, as matrix products; rotation of images.

On an axis-parallel grid the noise is separable: with the gradients (gy, gx) of the lattice and, for
each row and column of pixels, the faded weight and the offset of each lattice line,
`noise = (w*d)y . gy . wx' + wy . gx . (w*d)x'`. Two small products replace a gather for each pixel;
the result is then rotated by sampling.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample, interpolate

MAX_EXPONENT = 5  # scales of 1 to 32 cells an image, as in the authors' code
LINES = 2**MAX_EXPONENT + 2


def uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    """Random numbers in low..high [count, 1, 1, 1], on the generator's device."""
    drawn = torch.rand(count, 1, 1, 1, generator=generator, device=generator.device)
    return low + (high - low) * drawn


def perlin(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """One octave of Perlin noise [count, height, width] in about -1..1, at a random angle.

    Scales are 2^0 .. 2^5 cells per image and axis.
    """
    device = generator.device
    scales = (2, count, 1)
    exponents = torch.randint(0, MAX_EXPONENT + 1, scales, generator=generator, device=device)
    cells, shift = 2**exponents, torch.rand(scales, generator=generator, device=device)
    turns = torch.rand(count, LINES, LINES, generator=generator, device=device) * 2 * math.pi
    rows, row_slopes = _lattice(height, cells[0], shift[0])
    columns, column_slopes = _lattice(width, cells[1], shift[1])
    noise = row_slopes @ turns.sin() @ columns.mT + rows @ turns.cos() @ column_slopes.mT
    angle = uniform(count, -math.pi / 2, math.pi / 2, generator)
    return rotate(noise[:, None], angle)[:, 0].mul_(math.sqrt(2))


def _lattice(size: int, cells: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """The weight of every lattice line at every pixel of an axis, and weight times distance.

    Both [count, size, LINES]; the weight is Perlin's quintic fade, 1 on the line, 0 a cell away.
    """
    position = (torch.arange(size, device=cells.device) + 0.5) / size * cells + shift
    distance = position[..., None] - torch.arange(LINES, device=cells.device)
    t = distance.abs().clamp(max=1)
    weight = 1 - t * t * t * (t * (t * 6 - 15) + 10)
    return weight, weight * distance


def smooth(coarse: Tensor, height: int, width: int) -> Tensor:
    """A few values [N, C, h, w] as a smooth surface [N, C, height, width] through them.

    Bicubic at four times their size, which is cheap, then bilinear.
    """
    middle = [4 * side for side in coarse.shape[2:]]
    fine = interpolate(coarse, middle, mode="bicubic", align_corners=True)
    return interpolate(fine, (height, width), mode="bilinear", align_corners=True)


def rotate(images: Tensor, angle: Tensor) -> Tensor:
    """Images [N, C, H, W] rotated about their centres by `angle` [N, 1, 1, 1] in radians.

    What comes from beyond the border is mirrored.
    """
    height, width = images.shape[2:]
    y = torch.linspace(1 - height, height - 1, height, device=images.device)[:, None]
    x = torch.linspace(1 - width, width - 1, width, device=images.device)
    cos, sin = angle[:, 0].cos(), angle[:, 0].sin()
    x, y = x * (cos / width) - y * (sin / width), x * (sin / height) + y * (cos / height)
    return sample(images, x, y)


def sample(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Images [N, C, H, W] read at the places x and y [N, H, W], which are in -1..1 inside them."""
    grid = torch.stack((x, y), dim=3)
    return grid_sample(images, grid, padding_mode="reflection", align_corners=False)
