"""Simulated anomalies, drawn in batches on the training device.

All random numbers come from one generator, so the same seed gives the same batches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import max_pool2d

from trainer.simulation.image_changes import ImageChange, blurred, displaced, shaded, warped
from trainer.simulation.masks import lines, perlin_masks, soft_perlin_masks, spots
from trainer.simulation.perlin import uniform
from trainer.simulation.textures import TextureSource

T = TypeVar("T")
VISIBLE = 0.3  # of a mask's full opacity: where a soft edge begins to count
MIN_CHANGE_OPACITY = 0.5  # a change of the image is weak by itself
BLOCK = 4

MaskSource = Callable[[int, int, int, Generator], Tensor]
"""(count, height, width, generator) -> opacities [count, height, width] in 0..1."""


class Simulated(NamedTuple):
    """Images [N, 3, H, W] and where they were changed [N, H, W], 0 or 1."""

    images: Tensor
    mask: Tensor


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
    """How anomalies are drawn; `good_share` of the images stay as they are.

    The defaults are the paper's: textures behind Perlin masks, opacity from 0.1 to 1. `masks` and
    `changes` have weights: each image draws one mask, and either `textures` or a change of itself.
    The mask holds pixels that changed by more than `min_difference`, or that are next to one. For
    gray images the textures must be `gray` too, or a network learns that colour is the defect.
    """

    textures: TextureSource
    masks: Mapping[MaskSource, float] = field(default_factory=lambda: {perlin_masks: 1.0})
    changes: Mapping[ImageChange, float] = field(default_factory=dict)
    opacity: tuple[float, float] = (0.1, 1.0)
    good_share: float = 0.5
    jitter: bool = True
    gray: bool = False
    min_difference: float = 0.0

    def __call__(self, images: Tensor, generator: Generator) -> Simulated:
        """Draw anomalies on the first of the good images [N, 3, H, W] (0..1)."""
        count, _, height, width = images.shape
        chance = torch.rand(1, generator=generator, device=generator.device).item()
        changed = int(count * (1 - self.good_share) + chance)
        mask = images.new_zeros(count, height, width)
        if changed == 0:
            return Simulated(images, mask)
        shape = self._masks(changed, height, width, generator)
        content, opacity = self._contents(images[:changed], generator)
        made = torch.empty_like(images)
        made[changed:] = images[changed:]
        torch.lerp(images[:changed], content, opacity * shape[:, None], out=made[:changed])
        mask[:changed] = shape > VISIBLE
        if self.min_difference:
            difference = _difference(images[:changed], made[:changed])
            mask[:changed] *= difference > self.min_difference
        return Simulated(made, mask)

    def _masks(self, count: int, height: int, width: int, generator: Generator) -> Tensor:
        """One kind of mask for each image."""
        masks = torch.empty(count, height, width, device=generator.device)
        for source, rows in draw(self.masks, count, generator):
            masks[rows] = source(len(rows), height, width, generator)
        return masks

    def _contents(self, images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Textures or changed images, one for each image, and their opacities [N, 1, 1, 1]."""
        content = torch.empty_like(images)
        opacity = uniform(len(images), *self.opacity, generator)
        kinds: dict[ImageChange | None, float] = {None: max(0.0, 1 - sum(self.changes.values()))}
        kinds.update(self.changes.items())
        for change, rows in draw(kinds, len(images), generator):
            if change is None:
                content[rows] = self._texture(images[rows], generator)
            else:
                content[rows] = change(images[rows], generator)
                opacity[rows] = opacity[rows].clamp(min=MIN_CHANGE_OPACITY)
        return content, opacity

    def _texture(self, images: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images.shape
        texture = self.textures(count, height, width, generator)
        texture = jitter_colours(texture, generator) if self.jitter else texture
        return texture.mean(dim=1, keepdim=True).expand_as(images) if self.gray else texture


def mixed(textures: TextureSource, *, gray: bool, good_share: float = 0.5) -> Simulation:
    """The default of `draem train`: textures, and the image itself displaced, shaded, warped or
    blurred, in patches, spots and lines with hard and soft edges.

    Chosen by leaving kinds of anomaly out of the training and measuring how well they are found.
    """
    return Simulation(
        textures,
        masks={soft_perlin_masks: 0.4, spots: 0.4, lines: 0.2},
        changes={displaced: 0.2, shaded: 0.2, warped: 0.1, blurred: 0.1},
        good_share=good_share,
        gray=gray,
        min_difference=0.03,
    )


def draw(
    weights: Mapping[T, float], count: int, generator: Generator
) -> Iterator[tuple[T, Tensor]]:
    """Assign `count` images to the keys by weight: each key that has any, with their rows."""
    chances = torch.tensor(list(weights.values()), dtype=torch.float32, device=generator.device)
    picked = torch.multinomial(chances, count, replacement=True, generator=generator)
    for place, key in enumerate(weights):
        rows = (picked == place).nonzero()[:, 0]
        if len(rows):
            yield key, rows


def _difference(good: Tensor, made: Tensor) -> Tensor:
    """The largest difference within each block of pixels, spread over the block, [N, H, W]."""
    difference = (made - good).abs_().amax(dim=1, keepdim=True)
    blocks = max_pool2d(difference, BLOCK, ceil_mode=True)
    wide = blocks.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    return wide[:, 0, : good.shape[2], : good.shape[3]]
