"""How good parts may vary on the line beyond what the training images show."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from trainer.simulation.perlin import turn, uniform

CHANCE = 0.5
"""Of each change by itself: what the line's camera gave, and as sharp, is to be seen as well."""


@dataclass(frozen=True)
class Augmentation:
    """Turned by up to +-`rotation` degrees, mirrored (left to right, and top to bottom), and darker
    or lighter by up to a share `light` of their brightness.
    """

    rotation: float = 0
    mirror: bool = False
    light: float = 0

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Varies good images [N, 3, H, W] in 0..1 in place, and gives them back."""
        if self.rotation:
            places = _half(len(images), generator)
            degrees = uniform(len(places), -self.rotation, self.rotation, generator)
            images[places] = turn(images[places], degrees * math.pi / 180)
        if self.mirror:
            for axis in (2, 3):
                places = _half(len(images), generator)
                images[places] = images[places].flip(axis)
        if self.light:
            places = _half(len(images), generator)
            gain = uniform(len(places), 1 - self.light, 1 + self.light, generator)
            images[places] = (images[places] * gain).clamp_(0, 1)
        return images


def _half(count: int, generator: Generator) -> Tensor:
    """The rows of about half of the images."""
    chosen = torch.rand(count, generator=generator, device=generator.device) < CHANCE
    return chosen.nonzero()[:, 0]
