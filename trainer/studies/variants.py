"""Variants of the full method: what an ablation leaves out or replaces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import cosine_similarity, interpolate, pad

from trainer.network.features.model import FeatureDraem, FeatureOutput
from trainer.network.make import make_network
from trainer.network.network import Network
from trainer.network.pixels.loss import WINDOW, ssim_map
from trainer.network.pixels.model import Draem, Output
from trainer.network.spec import Kind, NetworkSpec
from trainer.simulation.masks import perlin_masks
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import plain_colours
from trainer.training.state import MakeNetwork


class DiscriminativeAlone(Draem):
    """The discriminative network gets the image twice, and no reconstruction."""

    def forward(self, image: Tensor) -> Output:
        return Output(image, self.discriminative(torch.cat((image, image), dim=1)))


class ReconstructiveAlone(Draem):
    """The heatmap is the reconstruction's structural dissimilarity, (1 - SSIM) / 2."""

    def forward(self, image: Tensor) -> Output:
        reconstruction = self.reconstructive(image)
        if self.training:
            return Output(reconstruction, image.new_zeros(len(image), 2, *image.shape[2:]))
        border = (WINDOW // 2,) * 4
        pair = (pad(x, border, mode="reflect") for x in (reconstruction, image))
        dissimilarity = ((1 - ssim_map(*pair).mean(dim=1)) / 2).clamp(1e-6, 1 - 1e-6)
        logits = torch.stack((torch.log1p(-dissimilarity), dissimilarity.log()), dim=1)
        return Output(reconstruction, logits)


class FeatureDiscriminativeAlone(FeatureDraem):
    """The discriminative network gets the features, and zeros for their reconstruction."""

    def forward(self, features: list[Tensor]) -> FeatureOutput:
        nothing = [torch.zeros_like(feature) for feature in features]
        return FeatureOutput(features, self.discriminative(features, nothing))


class FeatureReconstructiveAlone(FeatureDraem):
    """The heatmap is the mean over the three levels of (1 - cosine) / 2."""

    def forward(self, features: list[Tensor]) -> FeatureOutput:
        reconstructions = self.reconstructive(features[-1])
        size = features[0].shape[2:]
        if self.training:
            nothing = features[0].new_zeros(len(features[0]), 2, *size)
            return FeatureOutput(reconstructions, nothing)
        pairs = zip(features, reconstructions, strict=True)
        levels = [(1 - cosine_similarity(f, r, dim=1)[:, None]) / 2 for f, r in pairs]
        large = [interpolate(level, size, mode="bilinear") for level in levels]
        anomaly = torch.cat(large, dim=1).mean(dim=1).clamp(1e-6, 1 - 1e-6)
        return FeatureOutput(
            reconstructions, torch.stack((torch.log1p(-anomaly), anomaly.log()), dim=1)
        )


def pixels_as(network: type[Draem]) -> MakeNetwork:
    """Make this network instead of the pixels one."""

    def make(spec: NetworkSpec, *, encoder_weights: Path | None = None) -> Network:
        return network(spec.rec_width, spec.seg_width, spec.window)

    return make


def features_as(network: type[FeatureDraem]) -> MakeNetwork:
    """Make this network instead of the features one."""

    def make(spec: NetworkSpec, *, encoder_weights: Path | None = None) -> Network:
        full = make_network(spec, encoder_weights=encoder_weights)
        assert isinstance(full, FeatureDraem)
        return network(spec, full.encoder)

    return make


def rectangle_masks(count: int, height: int, width: int, generator: Generator) -> Tensor:
    """One to eight rectangles an image, each side a thirtieth to a third of the image's."""
    device = generator.device
    most = 8
    drawn = torch.rand(4, count, most, 1, 1, generator=generator, device=device)
    kept = torch.randint(1, most + 1, (count, 1, 1, 1), generator=generator, device=device)
    y = torch.linspace(0, 1, height, device=device)[:, None]
    x = torch.linspace(0, 1, width, device=device)
    tall, wide = (1 / 30 + drawn[2:] * (1 / 3 - 1 / 30)) / 2
    inside = ((y - drawn[0]).abs() <= tall) & ((x - drawn[1]).abs() <= wide)
    used = torch.arange(most, device=device)[None, :, None, None] < kept
    covered: Tensor = (inside & used).any(dim=1)
    return covered.float()


@dataclass(frozen=True)
class Variant:
    """What differs from the full method: the networks, the simulation, or settings.

    `published` are the paper's image AUROC, pixel AUROC and pixel AP, where it has such a variant.
    """

    published: tuple[float, float, float] | None = None
    make: MakeNetwork = make_network
    change: Callable[[Simulation], Simulation] = lambda simulation: simulation
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def needs_package(self) -> bool:
        """Whether its encoder comes with a package that the trainer's extra does not install."""
        return "backbone" in self.settings


PIXELS = {
    "full": Variant((98.0, 97.3, 68.4)),
    "discriminative alone": Variant((93.9, 92.7, 62.5), pixels_as(DiscriminativeAlone)),
    "reconstruction alone": Variant((83.9, 89.7, 47.5), pixels_as(ReconstructiveAlone)),
    "plain colours": Variant(
        (96.2, 92.6, 56.5), change=lambda s: replace(s, textures=plain_colours)
    ),
    "rectangles": Variant(
        (96.9, 96.8, 65.1), change=lambda s: replace(s, masks={rectangle_masks: 1.0})
    ),
    "fixed opacity": Variant((97.4, 95.0, 64.5), change=lambda s: replace(s, opacity=(1.0, 1.0))),
    "no augmentation": Variant(
        (97.4, 94.5, 64.3), change=lambda s: replace(s, opacity=(1.0, 1.0), jitter=False)
    ),
}

FEATURES = {
    "full": Variant(),
    "discriminative alone": Variant(make=features_as(FeatureDiscriminativeAlone)),
    "reconstruction alone": Variant(make=features_as(FeatureReconstructiveAlone)),
    "no memory": Variant(settings={"memory": 0}),
    "textures alone": Variant(change=lambda s: replace(s, changes={})),
    "hard patches alone": Variant(change=lambda s: replace(s, masks={perlin_masks: 1.0})),
    "plain colours": Variant(change=lambda s: replace(s, textures=plain_colours)),
    "fixed opacity": Variant(change=lambda s: replace(s, opacity=(1.0, 1.0))),
    "score of one pixel": Variant(settings={"score_window": 1}),
    "lite1": Variant(settings={"backbone": "lite1"}),
    "lite2": Variant(settings={"backbone": "lite2"}),
}

VARIANTS: dict[Kind, dict[str, Variant]] = {"pixels": PIXELS, "features": FEATURES}
