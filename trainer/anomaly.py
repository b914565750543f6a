"""Simulated anomalies, made in batches on the training device: mask, texture, opacity.

Every random number comes from one generator, so the same seed gives the same batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from trainer.perlin import perlin, uniform

TextureSource = Callable[[int, int, int, Generator], Tensor]
"""(count, height, width, generator) -> fresh textures [count, 3, height, width] in 0..1."""

MaskSource = Callable[[int, int, int, Generator], Tensor]
"""(count, height, width, generator) -> masks [count, height, width], 0 or 1."""


class Simulated(NamedTuple):
    """A batch for one step: images [N, 3, H, W] and where they were changed [N, H, W], 0 or 1."""

    images: Tensor
    mask: Tensor


def perlin_masks(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """Perlin noise above a random threshold, 0.3 to 0.7 around the authors' fixed 0.5."""
    noise = perlin(count, height, width, generator)
    return (noise > uniform(count, 0.3, 0.7, generator)[:, 0]).float()


def jitter_colours(textures: Tensor, generator: Generator) -> Tensor:
    """Random contrast, brightness and inversion of textures [N, 3, H, W], in place."""
    count = len(textures)
    contrast = uniform(count, 0.5, 1.5, generator)
    brightness = uniform(count, -0.3, 0.3, generator)
    inverted = uniform(count, 0, 1, generator) < 0.2
    contrast = torch.where(inverted, -contrast, contrast)
    return textures.mul_(contrast).add_(0.5 + brightness - 0.5 * contrast).clamp_(0, 1)


@dataclass(frozen=True)
class Simulation:
    """How anomalies are made. `good_share` of the images stay as they are.

    The defaults are the paper's where it is better than its code: opacity from 0.1 to 1. For gray
    images the textures must be `gray` too: a network would learn that colour is the defect.
    """

    textures: TextureSource
    masks: MaskSource = perlin_masks
    opacity: tuple[float, float] = (0.1, 1.0)
    good_share: float = 0.5
    jitter: bool = True
    gray: bool = False

    def __call__(self, images: Tensor, generator: Generator) -> Simulated:
        """Blend textures into the first of the good images [N, 3, H, W] (0..1); the rest stay."""
        count, _, height, width = images.shape
        chance = torch.rand(1, generator=generator, device=generator.device).item()
        changed = int(count * (1 - self.good_share) + chance)
        mask = images.new_zeros(count, height, width)
        if changed == 0:
            return Simulated(images, mask)
        size = (changed, height, width, generator)
        mask[:changed] = self.masks(*size)
        pasted = self.textures(*size)
        pasted = jitter_colours(pasted, generator) if self.jitter else pasted
        pasted = pasted.mean(dim=1, keepdim=True) if self.gray else pasted
        opacity = uniform(changed, *self.opacity, generator) * mask[:changed, None]
        made = torch.empty_like(images)
        made[changed:] = images[changed:]
        torch.lerp(images[:changed], pasted, opacity, out=made[:changed])
        return Simulated(made, mask)
