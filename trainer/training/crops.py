"""Crops of large pictures: what a network that judges tiles is trained and validated on."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from trainer.data.pictures import Corner, Pictures

BORDER = 4
"""A crop's place is drawn from a range that is longer by this part of it at each end, and then
moved inside: or else the picture's borders, which tiles always have, would be seen seldom."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of height x width at random places of pictures, at their own scale.

    They are drawn with `margin` pixels more on every side, so that a rotation has no corners to
    fill. The pictures stay where they are: only crops go to the training `device`.
    """

    pictures: Pictures
    height: int
    width: int
    device: torch.device
    margin: int = 0

    def __len__(self) -> int:
        return len(self.pictures)

    def draw(self, chosen: list[int], generator: Generator) -> Tensor:
        """One crop of each chosen picture, uint8 [N, 3, H, W] with the margin."""
        places = torch.rand(len(chosen), 2, generator=generator, device=generator.device)
        corners = [
            Corner(i, self._start(y, 0) - self.margin, self._start(x, 1) - self.margin)
            for i, (y, x) in zip(chosen, places.tolist(), strict=True)
        ]
        more = 2 * self.margin
        made = self.pictures.crops(corners, self.height + more, self.width + more)
        return torch.from_numpy(made).to(self.device).permute(0, 3, 1, 2).contiguous()

    def without_margin(self, images: Tensor) -> Tensor:
        """The middle of images [N, 3, H, W]."""
        m = self.margin
        return images[:, :, m : m + self.height, m : m + self.width].contiguous() if m else images

    def _start(self, share: float, axis: int) -> int:
        side = (self.height, self.width)[axis]
        free = self.pictures.height_width[axis] - side
        border = side // BORDER
        return min(max(round(share * (free + 2 * border)) - border, 0), free)


def rotation_margin(height: int, width: int, degrees: float) -> int:
    """Pixels around a rectangle that one inside reaches when it turns by up to `degrees`."""

    def more(a: float, b: float) -> float:
        angle = min(math.radians(degrees), math.atan2(b, a))
        return (a * math.cos(angle) + b * math.sin(angle) - a) / 2

    return math.ceil(max(more(height, width), more(width, height)))


def fixed_crops(
    pictures: Pictures, height: int, width: int, count: int, generator: Generator
) -> NDArray[np.uint8]:
    """`count` crops uint8 [N, height, width, 3], of each picture as many as of the others."""
    crops = Crops(pictures, height, width, torch.device("cpu"))
    made = crops.draw([i % len(pictures) for i in range(count)], generator)
    return np.ascontiguousarray(made.permute(0, 2, 3, 1).numpy())
