"""The paper's ablation asked again: each variant trained alike, beside the published figures."""

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
from trainer.evaluation.evaluate import PixelMetrics, judge_all, measure
from trainer.network.loss import WINDOW, ssim_map
from trainer.network.model import Draem, Output
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import plain_colours
from trainer.training import checkpoint
from trainer.training.checkpoint import TrainingError
from trainer.training.distributed import World
from trainer.training.golden import infer
from trainer.training.session import all_sources
from trainer.training.train import Images, count_steps, simulation_of, train
from trainer.training.train_settings import TrainSettings

log = logging.getLogger(__name__)


class DiscriminativeAlone(Draem):
    """The discriminative network sees the image twice, and no reconstruction."""

    def forward(self, image: Tensor) -> Output:
        return Output(image, self.discriminative(torch.cat((image, image), dim=1)))


class ReconstructiveAlone(Draem):
    """The heatmap is what the reconstruction lacks in structural similarity, (1 - SSIM) / 2."""

    def forward(self, image: Tensor) -> Output:
        reconstruction = self.reconstructive(image)
        if self.training:
            return Output(reconstruction, image.new_zeros(len(image), 2, *image.shape[2:]))
        border = (WINDOW // 2,) * 4
        pair = (pad(x, border, mode="reflect") for x in (reconstruction, image))
        lack = ((1 - ssim_map(*pair).mean(dim=1)) / 2).clamp(1e-6, 1 - 1e-6)
        return Output(reconstruction, torch.stack((torch.log1p(-lack), lack.log()), dim=1))


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
    networks: type[Draem] = Draem
    change: Callable[[Simulation], Simulation] = lambda simulation: simulation


VARIANTS = {
    "full": Variant((98.0, 97.3, 68.4)),
    "discriminative alone": Variant((93.9, 92.7, 62.5), DiscriminativeAlone),
    "reconstruction alone": Variant((83.9, 89.7, 47.5), ReconstructiveAlone),
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


class Networks:
    """Trained networks in the place of an engine."""

    def __init__(self, model: Draem) -> None:
        self._model = model

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        return Inference(*infer(self._model, batch))


def ablate(
    settings: TrainSettings, names: list[str], folder: Path, world: World, *, restart: bool = False
) -> list[AblationRow]:
    """Train and evaluate the named variants; those that `folder` has figures of are left out.

    All take as many steps as the full method has time for. Raises ImageError where the test images
    have no masks, TrainingError where `folder` holds the figures of another ablation.
    """
    _need_masks(settings.images)
    folder.mkdir(parents=True, exist_ok=True)
    with checkpoint.alone(folder):
        return _ablate(settings, names, folder, world, restart)


def _ablate(
    settings: TrainSettings, names: list[str], folder: Path, world: World, restart: bool
) -> list[AblationRow]:
    sources = all_sources(settings)
    images = Images(sources.part("train"), sources.part("validation"), sources.digest)
    book = folder / "ablation.json"
    asked = settings.model_dump(mode="json", exclude={"runs"}) | {"images_digest": images.digest}
    kept = json.loads(book.read_text(encoding="utf-8")) if book.is_file() else {}
    if kept and kept["asked"] != asked and not restart:
        raise TrainingError(
            f"{folder} holds the ablation of other images or settings ({kept['asked']['images']}): "
            "name another folder with --runs, or throw it away with --restart"
        )
    if restart or not kept:
        settings = count_steps(settings, images, world)
        kept = {"asked": asked, "steps": settings.steps, "rows": []}
        write_json(book, kept)
    settings = settings.model_copy(update={"steps": kept["steps"]})
    done = [AblationRow(**row) for row in kept["rows"]]
    for name in names:
        if any(row.variant == name for row in done):
            continue
        log.info("variant '%s', %d steps", name, settings.steps)
        done.append(_one(name, settings, images, folder / name.replace(" ", "-"), world))
        write_json(book, kept | {"rows": [asdict(row) for row in done]})
    return [row for name in names for row in done if row.variant == name]


def _need_masks(folder: Path) -> None:
    """Better said now than after a training."""
    seen = set()
    for sample in samples(folder):
        if sample.truth is not None:
            seen.add(sample.defect is not None)
        if len(seen) == 2:
            return
    raise ImageError(
        f"{folder} needs good and defective test images with masks: name a data set that has them"
    )


def _one(
    name: str, settings: TrainSettings, images: Images, folder: Path, world: World
) -> AblationRow:
    """One variant, trained or trained on from its checkpoint."""
    variant = VARIANTS[name]
    saved = None
    if checkpoint.exists(folder):
        waiting = checkpoint.load(folder)
        same = (waiting.settings, waiting.images) == (settings, images.digest)
        saved = waiting.state if same else None
    simulation = variant.change(simulation_of(settings, images, world.device))
    with checkpoint.alone(folder):
        outcome = train(settings, images, world, folder=folder, saved=saved,
                        simulation=simulation, networks=variant.networks)  # fmt: skip
    judged = judge_all(settings.fit, Networks(outcome.model), samples(settings.images))
    metrics = measure(judged)
    checkpoint.discard(folder)
    pixels = cast(PixelMetrics, metrics.pixels)  # _need_masks has seen some
    figures = (metrics.image_auroc, pixels.auroc, pixels.ap)
    return AblationRow(name, settings.steps, *(100 * figure for figure in figures))
