"""Typical features of good parts, and how far those of a picture are from the nearest of them.

After PatchCore (Roth et al. 2022, arXiv 2106.08265): features averaged over their neighbours, and a
greedy choice of those that differ most. The networks know what simulated anomalies look like; the
memory knows what good parts look like, and sees what nobody simulated.
"""

import logging
from collections.abc import Iterable
from typing import NamedTuple

import torch
from sklearn.metrics import roc_auc_score
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

CANDIDATES = 30_000
"""Features that the choice is made from: more cost seconds and change little."""
FROM_EACH = 128
"""From one picture at most; of many pictures fewer from each."""
AT_ONCE = 1 << 16
"""Features that are held before candidates are drawn from them: bounds the memory."""
PROJECTED = 64
"""Dimensions of the random projection in which features are compared for the choice."""
WEIGHTS = (0.0, 0.25, 0.5)
"""Of the distance beside the networks' margin, each in deviations of good parts' highest values.

Which of them is chosen for each product: where good parts differ much in what no defect is (another
background), the distance sees nothing, and with any weight it hides what the networks see.
"""
FALSE_REJECTS = 0.1
"""The weights are compared by the ROC curve up to here: only few false rejects are of use, but less
than this is not one part of those that are set aside."""
USUAL = -2.0
"""The margin of a good part's highest value."""
SMALLEST = 0.05
"""A deviation is at least this share of the range of good parts: few parts have hardly any."""

log = logging.getLogger(__name__)


class Maps(NamedTuple):
    """The networks' margins and the distances of the same pictures, both [N, 1, H, W]."""

    margins: Tensor
    distances: Tensor


class Memory(nn.Module):
    """`patterns` [K, C] of good parts, and `mixture`: what margin and distance are multiplied by,
    and what is added. Without effect until `fill` and `balance`, and where its weight is 0.
    """

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("patterns", torch.zeros(size, channels))
        self.register_buffer("mixture", torch.tensor([1.0, 0.0, 0.0]))

    def reset_parameters(self) -> None:
        """Forget."""
        self.get_buffer("patterns").zero_()
        self.get_buffer("mixture").copy_(torch.tensor([1.0, 0.0, 0.0]))

    @property
    def filled(self) -> bool:
        return bool(self.get_buffer("mixture")[1] != 0)

    def fill(self, good: Iterable[Tensor], seed: int) -> None:
        """Choose the patterns from features [N, C, h, w] of good parts."""
        generator = Generator().manual_seed(seed)
        found = drawn(good, generator)
        candidates = found[torch.randperm(len(found), generator=generator)[:CANDIDATES]]
        patterns = self.get_buffer("patterns")
        chosen = spread(candidates, len(patterns), generator)
        patterns.copy_(candidates[chosen].half())  # as model.onnx has them

    def balance(self, good: Maps, anomalous: Maps) -> None:
        """Measure what is usual on good parts that nothing was trained on, and choose the weight by
        how well they and the same with simulated anomalies are told apart.
        """
        margin, distance = usual(good.margins), usual(good.distances)
        weight = best_weight(good, anomalous, margin[1], distance[1])
        log.info("remembered good parts count with a weight of %g beside the networks", weight)
        if weight == 0:
            self.get_buffer("mixture").copy_(torch.tensor([1.0, 0.0, 0.0]))
            return
        first, second = 1 / margin[1], weight / distance[1]
        offset = USUAL - first * margin[0] - second * distance[0]
        self.get_buffer("mixture").copy_(torch.tensor([first, second, offset]))

    def forward(self, features: Tensor) -> Tensor:
        """The distance [N, 1, h, w] of features [N, C, h, w] to the nearest pattern."""
        patterns = self.get_buffer("patterns").float()
        x = smoothed(features.float())
        products = conv2d(x, -2 * patterns[:, :, None, None], patterns.square().sum(dim=1))
        squared = products.amin(dim=1, keepdim=True) + x.square().sum(dim=1, keepdim=True)
        distance: Tensor = squared.clamp(min=0).sqrt()
        return distance

    def mixed(self, margin: Tensor, features: Tensor) -> Tensor:
        """The margin [N, 1, H, W] with what the memory adds to it."""
        if not self.filled:
            return margin
        first, second, offset = self.get_buffer("mixture")
        sum_: Tensor = first * margin + second * enlarged(self(features), margin) + offset
        return sum_


def smoothed(features: Tensor) -> Tensor:
    """The mean of each 3x3 neighbours, at the border of those that there are."""
    return avg_pool2d(features, 3, stride=1, padding=1, count_include_pad=False)


def enlarged(coarse: Tensor, fine: Tensor) -> Tensor:
    """A coarse map [N, 1, h, w] at the size of a fine one."""
    return interpolate(coarse, fine.shape[2:], mode="bilinear", align_corners=False)


def drawn(good: Iterable[Tensor], generator: Generator) -> Tensor:
    """Smoothed features [M, C] of pictures in batches [N, C, h, w], as many of each, on the CPU.

    At most AT_ONCE of them, unless there are more pictures than that: then one of each.
    """
    most, pictures = FROM_EACH, 0
    held: list[Tensor] = []
    for features in good:
        held.append(some(smoothed(features), most, generator).cpu())
        pictures += len(features)
        while most > 1 and pictures * held[-1].shape[1] > AT_ONCE:
            most //= 2
            held = [batch[:, :most].clone() for batch in held]  # their order is random
    return torch.cat([batch.flatten(0, 1) for batch in held])


def some(features: Tensor, most: int, generator: Generator) -> Tensor:
    """Features [N, M, C] at up to `most` random places of each picture [N, C, h, w]."""
    flat = features.float().flatten(2).transpose(1, 2)
    rows = [torch.randperm(flat.shape[1], generator=generator)[:most] for _ in flat]
    return torch.stack([each[row.to(each.device)] for each, row in zip(flat, rows, strict=True)])


def spread(candidates: Tensor, count: int, generator: Generator) -> Tensor:
    """The indices of `count` candidates [N, C]: each is the one farthest from all before it."""
    to = torch.randn(candidates.shape[1], PROJECTED, generator=generator)
    points = candidates @ (to / PROJECTED**0.5).to(candidates)
    lengths = points.square().sum(dim=1)
    distances = torch.full_like(lengths, torch.inf)
    chosen = [0]
    while len(chosen) < count:
        last = chosen[-1]
        distances = torch.minimum(distances, lengths - 2 * points @ points[last] + lengths[last])
        chosen.append(int(distances.argmax()))
    return torch.tensor(chosen, device=candidates.device)


def best_weight(good: Maps, anomalous: Maps, margin: float, distance: float) -> float:
    """That of WEIGHTS with the largest area under the ROC curve up to FALSE_REJECTS; of equals the
    smallest. `margin` and `distance` are deviations of good parts.
    """
    truth = [False] * len(good.margins) + [True] * len(anomalous.margins)

    def area(weight: float) -> float:
        scores = [
            highest(maps.margins / margin + weight * maps.distances / distance)
            for maps in (good, anomalous)
        ]
        return float(roc_auc_score(truth, torch.cat(scores).cpu(), max_fpr=FALSE_REJECTS))

    return max(WEIGHTS, key=area)


def highest(maps: Tensor) -> Tensor:
    """The highest value [N] of each map [N, 1, H, W], 3x3 pixels averaged."""
    return smoothed(maps.float()).amax(dim=(1, 2, 3))


def usual(maps: Tensor) -> tuple[float, float]:
    """Mean and deviation of the maps' highest values."""
    values = highest(maps)
    mean = float(values.mean())
    least = SMALLEST * (mean - float(maps.float().median()))
    return mean, max(float(values.std(correction=0)), least, 1e-6)
