"""What training, evaluation and export know of a network, whichever it is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from trainer.network.spec import NetworkSpec


class Network(nn.Module, ABC):
    """A reconstructive and a discriminative network; images are [N, 3, H, W], BGR in 0..1."""

    spec: NetworkSpec
    stride = 1
    """Pixels from one logit to the next."""

    @abstractmethod
    def heatmap(self, image: Tensor) -> Tensor:
        """The anomaly of each pixel in 0..1, [N, H, W]."""

    @abstractmethod
    def losses(self, good: Tensor, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """The terms whose sum is minimised: `image` is `good` with anomalies where `mask` is 1."""

    def adapt(self, good: Iterable[Tensor]) -> None:
        """Measure on good images what the network needs to know before its first step."""

    def remember(
        self,
        good: Iterable[Tensor],
        held_out: Iterable[Tensor],
        anomalous: Iterable[Tensor],
        seed: int,
    ) -> None:
        """Keep of good images what the trained network compares others with.

        `held_out` are good images that are in none of `good`, `anomalous` the same with anomalies.
        """

    def score(self, heatmap: Tensor) -> Tensor:
        """The score [N] of heatmaps."""
        return pooled_maximum(heatmap, self.spec.window)


class Objective(nn.Module):
    """A network's losses as a module of their own, which several processes can wrap."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, good: Tensor, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return self.network.losses(good, image, mask)


def anomalous(logits: Tensor) -> Tensor:
    """The softmax of logits [N, 2, h, w] (good, anomalous) as the anomaly [N, h, w] in 0..1."""
    return torch.softmax(logits.float(), dim=1)[:, 1]


def pooled_maximum(heatmap: Tensor, window: int) -> Tensor:
    """The score [N] of maps [N, H, W]: the maximum of the average-pooled one, zero-padded."""
    pooled = avg_pool2d(heatmap[:, None], window, stride=1, padding=window // 2)
    return pooled.amax(dim=(1, 2, 3))
