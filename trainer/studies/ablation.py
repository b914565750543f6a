"""The paper's ablation repeated: each variant trained alike, beside the published figures."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import pad

from edge.base.errors import ImageError
from edge.base.files import write_json
from edge.engine import Inference
from trainer.data.layout import samples
from trainer.data.sources import Images
from trainer.evaluation.evaluate import PixelMetrics, measure, score_all
from trainer.network.make import make_network
from trainer.network.network import Network
from trainer.network.pixels.loss import WINDOW, ssim_map
from trainer.network.pixels.model import Draem, Output
from trainer.network.spec import NetworkSpec
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import plain_colours
from trainer.training import checkpoint
from trainer.training.batches import make_simulation
from trainer.training.checkpoint import TrainingError
from trainer.training.distributed import ProcessGroup
from trainer.training.duration import count_steps
from trainer.training.golden import infer
from trainer.training.job import read_sources
from trainer.training.settings import TrainSettings
from trainer.training.state import MakeNetwork
from trainer.training.train import train

log = logging.getLogger(__name__)


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


def as_variant(network: type[Draem]) -> MakeNetwork:
    """Make this network instead of the pixels one."""

    def make(spec: NetworkSpec, *, pretrained: bool = False) -> Network:
        return network(spec.rec_width, spec.seg_width, spec.window)

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
    """What differs from the full method; the published image AUROC, pixel AUROC and pixel AP."""

    published: tuple[float, float, float]
    make: MakeNetwork = make_network
    change: Callable[[Simulation], Simulation] = lambda simulation: simulation


VARIANTS = {
    "full": Variant((98.0, 97.3, 68.4)),
    "discriminative alone": Variant((93.9, 92.7, 62.5), as_variant(DiscriminativeAlone)),
    "reconstruction alone": Variant((83.9, 89.7, 47.5), as_variant(ReconstructiveAlone)),
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


@dataclass(frozen=True)
class AblationRow:
    """One variant's figures on this data, in percent as the paper has them."""

    variant: str
    steps: int
    image_auroc: float
    pixel_auroc: float
    pixel_ap: float


def ablate(
    settings: TrainSettings,
    names: list[str],
    folder: Path,
    group: ProcessGroup,
    *,
    restart: bool = False,
) -> list[AblationRow]:
    """Train and evaluate the named variants; those that `folder` has figures of are skipped.

    All take as many steps as the full method has time for. Raises ImageError where the test images
    have no masks, TrainingError where `folder` holds the figures of another ablation.
    """
    _check_masks(settings.images)
    folder.mkdir(parents=True, exist_ok=True)
    with checkpoint.lock(folder):
        return _ablate(settings, names, folder, group, restart)


def _ablate(
    settings: TrainSettings, names: list[str], folder: Path, group: ProcessGroup, restart: bool
) -> list[AblationRow]:
    images = read_sources(settings).training_images()
    results = folder / "ablation.json"
    asked = settings.model_dump(mode="json", exclude={"runs"}) | {"images_digest": images.digest}
    kept = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    if kept and kept["asked"] != asked and not restart:
        raise TrainingError(
            f"{folder} holds the ablation of other images or settings ({kept['asked']['images']}): "
            "name another folder with --runs, or discard it with --restart"
        )
    if restart or not kept:
        settings = count_steps(settings, images, group)
        kept = {"asked": asked, "steps": settings.steps, "rows": []}
        write_json(results, kept)
    settings = settings.model_copy(update={"steps": kept["steps"]})
    done = {row["variant"]: AblationRow(**row) for row in kept["rows"]}
    for name in names:
        if name not in done:
            log.info("variant '%s', %d steps", name, settings.steps)
            done[name] = _one(name, settings, images, folder / name.replace(" ", "-"), group)
            write_json(results, kept | {"rows": [asdict(row) for row in done.values()]})
    return [done[name] for name in names]


def _check_masks(folder: Path) -> None:
    """Raise ImageError unless there are good and defective images with masks."""
    found = {sample.defect is None for sample in samples(folder) if sample.truth is not None}
    if len(found) < 2:
        raise ImageError(
            f"{folder} needs good and defective test images with masks: name a data set with them"
        )


def _one(
    name: str, settings: TrainSettings, images: Images, folder: Path, group: ProcessGroup
) -> AblationRow:
    """Train one variant, from its checkpoint if there is one, and evaluate it."""
    variant = VARIANTS[name]
    saved = None
    if checkpoint.exists(folder):
        unfinished = checkpoint.load(folder)
        if (unfinished.settings, unfinished.images) == (settings, images.digest):
            saved = unfinished.state
    simulation = variant.change(make_simulation(settings, images, group.device))
    outcome = train(settings, images, group, folder=folder, saved=saved,
                    simulation=simulation, make=variant.make)  # fmt: skip

    def infer_one(batch: NDArray[np.uint8]) -> Inference:
        return Inference(*infer(outcome.model, batch))

    metrics = measure(score_all(settings.fit, infer_one, samples(settings.images)))
    checkpoint.discard(folder)
    pixels = cast(PixelMetrics, metrics.pixels)  # _check_masks has found some
    figures = (metrics.image_auroc, pixels.auroc, pixels.ap)
    return AblationRow(name, settings.steps, *(100 * figure for figure in figures))
