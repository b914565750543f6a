"""Variation of good parts beyond what the training images show."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from trainer.simulation.perlin import rotate, uniform

CHANCE = 0.5
"""Of each change by itself: images as the camera gave them, and as sharp, must be seen as well."""


@dataclass(frozen=True)
class Augmentation:
    """Rotation by up to +-`rotation` degrees, mirroring (left to right, and top to bottom), and
    brightness changed by up to a share `light`.
    """

    rotation: float = 0
    mirror: bool = False
    light: float = 0

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Vary good images [N, 3, H, W] in 0..1 in place, and return them."""
        if self.rotation:
            chosen = _half(len(images), generator)
            degrees = uniform(len(chosen), -self.rotation, self.rotation, generator)
            images[chosen] = rotate(images[chosen], degrees * math.pi / 180)
        if self.mirror:
            for axis in (2, 3):
                chosen = _half(len(images), generator)
                images[chosen] = images[chosen].flip(axis)
        if self.light:
            chosen = _half(len(images), generator)
            gain = uniform(len(chosen), 1 - self.light, 1 + self.light, generator)
            images[chosen] = (images[chosen] * gain).clamp_(0, 1)
        return images


def _half(count: int, generator: Generator) -> Tensor:
    """The rows of about half of the images."""
    chosen = torch.rand(count, generator=generator, device=generator.device) < CHANCE
    return chosen.nonzero()[:, 0]
