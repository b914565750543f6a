"""Simulated anomalies, made in batches on the training device: where, what, how strong.

Every random number comes from one generator, so the same seed gives the same batches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import max_pool2d

from trainer.simulation.masks import blobs, lines, perlin_masks, soft_perlin
from trainer.simulation.perlin import uniform
from trainer.simulation.self_changes import SelfChange, blurred, displaced, shaded, warped
from trainer.simulation.textures import TextureSource

T = TypeVar("T")
VISIBLE = 0.3  # of a mask's full strength: where a soft edge begins to count
LEAST_OF_A_CHANGE = 0.5
BLOCK = 4

MaskSource = Callable[[int, int, int, Generator], Tensor]
"""(count, height, width, generator) -> strengths [count, height, width] in 0..1."""


class Simulated(NamedTuple):
    """A batch for one step: images [N, 3, H, W] and where they were changed [N, H, W], 0 or 1."""

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
    """How anomalies are made; `good_share` of the images stay as they are.

    As it stands it is the paper's: textures behind Perlin masks, opacity from 0.1 to 1. `masks`
    and `changes` are weighted: each image draws one mask, and either `textures` or a change of
    itself. `least` is how much a pixel or one beside it must have changed to count as anomalous:
    what cannot be seen must not be learned. For gray images the textures must be `gray` too: a
    network would learn that colour is the defect.
    """

    textures: TextureSource
    masks: Mapping[MaskSource, float] = field(default_factory=lambda: {perlin_masks: 1.0})
    changes: Mapping[SelfChange, float] = field(default_factory=dict)
    opacity: tuple[float, float] = (0.1, 1.0)
    good_share: float = 0.5
    jitter: bool = True
    gray: bool = False
    least: float = 0.0

    def __call__(self, images: Tensor, generator: Generator) -> Simulated:
        """Change the first of the good images [N, 3, H, W] (0..1); the rest stay."""
        count, _, height, width = images.shape
        chance = torch.rand(1, generator=generator, device=generator.device).item()
        changed = int(count * (1 - self.good_share) + chance)
        mask = images.new_zeros(count, height, width)
        if changed == 0:
            return Simulated(images, mask)
        where = self._where(changed, height, width, generator)
        what, opacity = self._what(images[:changed], generator)
        made = torch.empty_like(images)
        made[changed:] = images[changed:]
        torch.lerp(images[:changed], what, opacity * where[:, None], out=made[:changed])
        mask[:changed] = where > VISIBLE
        if self.least:
            mask[:changed] *= _changed(images[:changed], made[:changed]) > self.least
        return Simulated(made, mask)

    def _where(self, count: int, height: int, width: int, generator: Generator) -> Tensor:
        """One kind of mask for each image."""
        where = torch.empty(count, height, width, device=generator.device)
        for source, rows in draw(self.masks, count, generator):
            where[rows] = source(len(rows), height, width, generator)
        return where

    def _what(self, images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """A texture, or the image itself changed; and how strong [N, 1, 1, 1].

        A change of the image is weak by itself, so it is never very faint.
        """
        what = torch.empty_like(images)
        opacity = uniform(len(images), *self.opacity, generator)
        textured = max(0.0, 1 - sum(self.changes.values()))
        kinds: dict[SelfChange | None, float] = {None: textured}
        kinds.update(self.changes.items())
        for change, rows in draw(kinds, len(images), generator):
            if change is None:
                what[rows] = self._texture(images[rows], generator)
            else:
                what[rows] = change(images[rows], generator)
                opacity[rows] = opacity[rows].clamp(min=LEAST_OF_A_CHANGE)
        return what, opacity

    def _texture(self, images: Tensor, generator: Generator) -> Tensor:
        count, _, height, width = images.shape
        pasted = self.textures(count, height, width, generator)
        pasted = jitter_colours(pasted, generator) if self.jitter else pasted
        return pasted.mean(dim=1, keepdim=True).expand_as(images) if self.gray else pasted


def mixed(textures: TextureSource, *, gray: bool, good_share: float = 0.5) -> Simulation:
    """The default of `draem train`: textures, and structure that is out of place, bent, shaded or
    blurred, in patches, spots and lines with hard and soft edges.

    Chosen by leaving kinds of anomaly out of the training and judging them (docs/results.md).
    """
    return Simulation(
        textures,
        masks={soft_perlin: 0.5, blobs: 0.4, lines: 0.1},
        changes={displaced: 0.2, shaded: 0.2, warped: 0.1, blurred: 0.1},
        good_share=good_share,
        gray=gray,
        least=0.03,
    )


def draw(
    weights: Mapping[T, float], count: int, generator: Generator
) -> Iterator[tuple[T, Tensor]]:
    """Deal `count` images out to the keys by weight: each key that got some, with their rows."""
    chances = torch.tensor(list(weights.values()), dtype=torch.float32, device=generator.device)
    picked = torch.multinomial(chances, count, replacement=True, generator=generator)
    for place, key in enumerate(weights):
        rows = (picked == place).nonzero()[:, 0]
        if len(rows):
            yield key, rows


def _changed(good: Tensor, made: Tensor) -> Tensor:
    """How much each block of pixels has changed at most, spread over the block, [N, H, W]."""
    difference = (made - good).abs_().amax(dim=1, keepdim=True)
    blocks = max_pool2d(difference, BLOCK, ceil_mode=True)
    wide = blocks.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    return wide[:, 0, : good.shape[2], : good.shape[3]]
