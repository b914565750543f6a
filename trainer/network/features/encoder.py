"""What the features network knows of its frozen encoder, whichever it is."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

STRIDES = (4, 8, 16)
"""Pixels from one value to the next, of the three levels of features."""


class Encoder(nn.Module, ABC):
    """Images [N, 3, H, W] (BGR, 0..1) to features at strides 4, 8 and 16.

    `channels` are those of the three levels. The weights were trained on RGB,
    (value - `mean`) / `deviation` with values of 0 to 255.
    """

    channels: list[int]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @abstractmethod
    def encode(self, x: Tensor) -> list[Tensor]:
        """The features of RGB images that have the mean and deviation of the training."""

    def forward(self, image: Tensor) -> list[Tensor]:
        mean, deviation = (image.new_tensor(v)[:, None, None] for v in (self.mean, self.deviation))
        return self.encode((image.flip(1) * 255 - mean) / deviation)
