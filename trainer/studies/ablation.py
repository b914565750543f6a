"""The paper's ablation repeated: each variant trained alike, beside the published figures."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from edge.base.errors import ImageError
from edge.base.files import write_json
from edge.vision.fit import Fit
from trainer.data.layout import samples
from trainer.data.sources import Images
from trainer.evaluation.evaluate import PixelMetrics, measure
from trainer.evaluation.scored_images import score_all
from trainer.studies.variants import VARIANTS
from trainer.training import checkpoint
from trainer.training.batches import make_simulation, training_images
from trainer.training.checkpoint import TrainingError
from trainer.training.distributed import ProcessGroup
from trainer.training.duration import count_steps
from trainer.training.job import read_sources
from trainer.training.settings import TrainSettings
from trainer.training.torch_engine import torch_engine
from trainer.training.train import train

log = logging.getLogger(__name__)


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
    settings = settings.model_copy(update={"max_minutes": None})  # all take the same steps
    for name in names:  # a missing package is reported before the first training
        _ = settings.model_copy(update=VARIANTS[settings.network][name].settings).encoder_weights
    sources = read_sources(settings)
    images = training_images(settings, sources)
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
            place = folder / name.replace(" ", "-")
            done[name] = _one(name, settings, images, sources.fit, place, group)
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
    name: str,
    settings: TrainSettings,
    images: Images,
    fit: Fit,
    folder: Path,
    group: ProcessGroup,
) -> AblationRow:
    """Train one variant, from its checkpoint if there is one, and evaluate it."""
    variant = VARIANTS[settings.network][name]
    settings = settings.model_copy(update=variant.settings)
    saved = None
    if checkpoint.exists(folder):
        unfinished = checkpoint.load(folder)
        if (unfinished.settings, unfinished.images) == (settings, images.digest):
            saved = unfinished.state
    simulation = variant.change(make_simulation(settings, images, group.device))
    outcome = train(settings, images, group, folder=folder, saved=saved,
                    simulation=simulation, make=variant.make)  # fmt: skip
    engine = torch_engine(outcome.model, fit, settings.tile)
    tested = samples(settings.images)
    metrics = measure(score_all(fit, engine.infer, tested, window=settings.window))
    checkpoint.discard(folder)
    pixels = cast(PixelMetrics, metrics.pixels)  # _check_masks has found some
    figures = (metrics.image_auroc, pixels.auroc, pixels.ap)
    return AblationRow(name, settings.steps, *(100 * figure for figure in figures))
