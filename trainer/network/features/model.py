"""DRAEM on the features of a frozen encoder: reconstruct those of a good part, and find where the
true ones differ.

The idea is the paper's (arXiv 2108.07610) with features instead of pixels, as in DeSTSeg
(arXiv 2211.11317): what ImageNet has taught need not be learnt from a few hundred pictures.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, interpolate, max_pool2d, mse_loss

from trainer.network.features.encoder import STRIDES, Encoder
from trainer.network.features.memory import Maps, Memory, enlarged
from trainer.network.focal import focal
from trainer.network.network import Network, anomalous
from trainer.network.spec import NetworkSpec

RARE = -3.0
"""The first logits of a network say that anomalies are rare: it need not learn this."""


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def double_conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*conv(inputs, outputs), *conv(outputs, outputs))


def doubled(x: Tensor) -> Tensor:
    """Twice the height and width, bilinear."""
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class FeatureReconstruction(nn.Module):
    """The features at strides 4, 8 and 16 as if the part were good, from those at stride 16 alone.

    They pass through stride 32, too few values for an anomaly to come through.
    """

    def __init__(self, channels: list[int], width: int) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.down = nn.Sequential(*conv(coarse, 4 * width, stride=2), *conv(4 * width, 4 * width))
        self.up = nn.ModuleList(
            [
                double_conv(4 * width, 4 * width),
                double_conv(4 * width, 2 * width),
                double_conv(2 * width, width),
            ]
        )
        self.out = nn.ModuleList(
            [nn.Conv2d(4 * width, coarse, 1), nn.Conv2d(2 * width, middle, 1),
             nn.Conv2d(width, fine, 1)]
        )  # fmt: skip

    def forward(self, coarse: Tensor) -> list[Tensor]:
        x = self.down(coarse)
        reconstructions = []
        for up, out in zip(self.up, self.out, strict=True):
            x = up(doubled(x))
            reconstructions.append(out(x))
        return reconstructions[::-1]


class FeatureDiscrimination(nn.Module):
    """Logits [N, 2, H/4, W/4] of (good, anomalous) from features and their reconstruction."""

    def __init__(self, channels: list[int], width: int) -> None:
        super().__init__()
        self.join = nn.ModuleList(conv(2 * count, width, 1) for count in channels)
        self.coarse = conv(width, width)
        self.middle = double_conv(2 * width, width)
        self.fine = double_conv(2 * width, width)
        self.out = nn.Conv2d(width, 2, 1)
        assert self.out.bias is not None
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([-RARE / 2, RARE / 2]))

    def forward(self, features: list[Tensor], reconstructions: list[Tensor]) -> Tensor:
        pairs = zip(features, reconstructions, strict=True)
        fine, middle, coarse = (
            join(torch.cat((f, f - r), dim=1))
            for join, (f, r) in zip(self.join, pairs, strict=True)
        )
        x = self.coarse(coarse)
        x = self.middle(torch.cat((doubled(x), middle), dim=1))
        x = self.fine(torch.cat((doubled(x), fine), dim=1))
        logits: Tensor = self.out(x)
        return logits


class FeatureOutput(NamedTuple):
    """Reconstructed features at strides 4, 8 and 16, and the logits."""

    reconstructions: list[Tensor]
    logits: Tensor


class FeatureDraem(Network):
    """Both networks on the features of `encoder`, which is not trained.

    Each channel of the features is scaled to mean 0 and deviation 1 over the good images. `memory`
    adds to the trained networks' answer how far coarse features are from those of good parts.
    """

    stride = 4

    def __init__(self, spec: NetworkSpec, encoder: Encoder) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        self.reconstructive = FeatureReconstruction(encoder.channels, spec.rec_width)
        self.discriminative = FeatureDiscrimination(encoder.channels, spec.seg_width)
        self.memory = Memory(spec.memory, encoder.channels[-1]) if spec.memory else None
        for stride, count in zip(STRIDES, encoder.channels, strict=True):
            self.register_buffer(f"mean_{stride}", torch.zeros(count))
            self.register_buffer(f"deviation_{stride}", torch.ones(count))

    def scaled(self, features: list[Tensor]) -> list[Tensor]:
        """Features as both networks see them."""
        rows = []
        for stride, feature in zip(STRIDES, features, strict=True):
            mean = self.get_buffer(f"mean_{stride}")[:, None, None]
            deviation = self.get_buffer(f"deviation_{stride}")[:, None, None]
            rows.append(((feature.float() - mean) / deviation).to(mean.dtype))
        return rows

    def features(self, image: Tensor) -> list[Tensor]:
        with torch.no_grad():
            encoded: list[Tensor] = self.encoder(image)
            return self.scaled(encoded)

    def forward(self, features: list[Tensor]) -> FeatureOutput:
        reconstructions = self.reconstructive(features[-1])
        detached = [reconstruction.detach() for reconstruction in reconstructions]
        return FeatureOutput(reconstructions, self.discriminative(features, detached))

    def heatmap(self, image: Tensor) -> Tensor:
        features = self.features(image)
        margin = self.margin(features)
        if self.memory is not None:
            margin = self.memory.mixed(margin, features[-1])
        fine = interpolate(
            torch.sigmoid(margin), image.shape[2:], mode="bilinear", align_corners=False
        )
        return fine[:, 0]

    def margin(self, features: list[Tensor]) -> Tensor:
        """By how much the anomalous logit is above the good one, [N, 1, H/4, W/4]."""
        output: FeatureOutput = self(features)
        logits = output.logits.float()
        return logits[:, 1:] - logits[:, :1]

    @torch.no_grad()
    def remember(
        self,
        good: Iterable[Tensor],
        held_out: Iterable[Tensor],
        anomalous: Iterable[Tensor],
        seed: int,
    ) -> None:
        if self.memory is None:
            return
        self.memory.fill((self.features(images)[-1] for images in good), seed)
        self.memory.balance(self._maps(self.memory, held_out), self._maps(self.memory, anomalous))

    def _maps(self, memory: Memory, batches: Iterable[Tensor]) -> Maps:
        """What networks and memory say of images."""
        margins, distances = [], []
        for images in batches:
            features = self.features(images)
            margins.append(self.margin(features))
            distances.append(enlarged(memory(features[-1]), margins[-1]))
        return Maps(torch.cat(margins), torch.cat(distances))

    def losses(self, good: Tensor, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        seen = self.features(image)
        changed = (image != good).flatten(1).any(dim=1).nonzero()[:, 0]
        clean = self.features(good[changed])  # the others are their own good part
        wanted = [f.index_copy(0, changed, c) for f, c in zip(seen, clean, strict=True)]
        output: FeatureOutput = self(seen)
        pairs = list(zip(output.reconstructions, wanted, strict=True))
        coarse = max_pool2d(mask[:, None], self.stride)[:, 0]
        return {
            "cosine": _sum((1 - cosine_similarity(r.float(), w, dim=1)).mean() for r, w in pairs),
            "l2": 0.1 * _sum(mse_loss(r.float(), w) for r, w in pairs),
            "focal": 5 * focal(output.logits, coarse),
            "l1": (anomalous(output.logits) - coarse).abs().mean(),
        }

    @torch.no_grad()
    def adapt(self, good: Iterable[Tensor]) -> None:
        counts = [0] * len(STRIDES)
        sums = [torch.zeros(2, n, dtype=torch.float64) for n in self.encoder.channels]
        for images in good:
            for i, feature in enumerate(self.encoder(images)):
                values = feature.double().transpose(0, 1).flatten(1).cpu()
                sums[i] += torch.stack((values.sum(dim=1), values.square().sum(dim=1)))
                counts[i] += values.shape[1]
        for stride, total, count in zip(STRIDES, sums, counts, strict=True):
            mean, square = total / count
            deviation = (square - mean.square()).clamp(min=1e-6).sqrt()
            self.get_buffer(f"mean_{stride}").copy_(mean)
            self.get_buffer(f"deviation_{stride}").copy_(deviation)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
