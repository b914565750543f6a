"""One training from images to product: locked, resumable, the same for one process or several."""

import logging
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import torch

from edge.base.files import digest
from edge.product.product import Product
from edge.vision.image_files import find_images
from trainer.data.sources import Sources, load_sources
from trainer.training import checkpoint
from trainer.training.checkpoint import TrainingError, Unfinished
from trainer.training.distributed import World, join, pick_device
from trainer.training.malloc import keep_freed_memory
from trainer.training.report import write_training_report
from trainer.training.save_product import Trained, save_product, saved_before
from trainer.training.train import Images, TrainingOutcome, count_steps, texture_source, train
from trainer.training.train_settings import TrainSettings

log = logging.getLogger(__name__)


def all_sources(settings: TrainSettings) -> Sources:
    """The images that a training was told of."""
    s = settings
    sources = load_sources(s.images, s.fit, s.seed, s.bit_depth, s.also)
    pictures = find_images(s.textures) if s.textures else []
    return replace(sources, textures=tuple(digest(path) for path in pictures))


@dataclass(frozen=True)
class TrainingJob:
    """What the command line asks for: fresh settings, or None to resume those of the checkpoint."""

    product: str
    runs: Path
    settings: TrainSettings | None
    restart: bool = False

    @property
    def folder(self) -> Path:
        """Where the training keeps its checkpoint and its curves."""
        return self.runs / self.product

    def resume_command(self, processes: int) -> str:
        several = f"torchrun --nproc-per-node {processes} -m trainer"
        runs = "" if self.runs == Path("runs") else f" --runs {self.runs}"
        command = "draem train" if processes == 1 else several
        return f"{command} --resume --product {self.product}{runs}"


def session(order: TrainingJob) -> Product | None:
    """Train and write the product; None in a process that does not lead.

    Raises TrainingError where an unfinished training is in the way, or cannot be gone on with.
    """
    keep_freed_memory()
    saved = None
    if order.settings is None:
        saved = checkpoint.load(order.folder)
    elif checkpoint.exists(order.folder) and not order.restart:
        processes = checkpoint.load(order.folder).processes
        raise TrainingError(
            f"an unfinished training of {order.product} is in {order.folder}: go on with "
            f"'{order.resume_command(processes)}', or throw it away with --restart"
        )
    settings = saved.settings if saved else cast(TrainSettings, order.settings)
    with join(pick_device(settings.device)) as world:
        if not world.leads:
            logging.getLogger().setLevel(logging.WARNING)
        if saved and saved.processes != world.size:
            raise TrainingError(
                f"the training was begun by {saved.processes} processes: go on with "
                f"'{order.resume_command(saved.processes)}'"
            )
        sources = all_sources(settings)
        if saved and saved.images != sources.digest:
            raise TrainingError(
                f"the images in {settings.images} (or the textures) are not those that the "
                "training began with: restore them, or start again with --restart"
            )
        with checkpoint.alone(order.folder) if world.leads else nullcontext():
            try:
                return _train(order, settings, sources, saved, world)
            except torch.OutOfMemoryError as error:
                raise TrainingError(
                    "the GPU's memory is too small for this: lower --batch, --input or --size"
                ) from error


def _train(
    order: TrainingJob,
    settings: TrainSettings,
    sources: Sources,
    saved: Unfinished | None,
    world: World,
) -> Product | None:
    counts = [len(sources.part(split)) for split in ("train", "validation", "calibration")]
    log.info("%d images to train on, %d to validate, %d set aside for calibration", *counts)
    images = Images(sources.part("train"), sources.part("validation"), sources.digest)
    if saved is None:
        checkpoint.discard(order.folder)
        settings = count_steps(settings, images, world)
    log.info(
        "%d steps of %d images, widths %d/%d, %dx%d, on %s",
        *(settings.steps, settings.batch * world.size, settings.rec_width, settings.seg_width),
        *(settings.height, settings.width, world.device),
    )
    try:
        state = saved.state if saved else None
        done = train(settings, images, world, folder=order.folder, saved=state)
    except KeyboardInterrupt:
        if checkpoint.exists(order.folder):
            log.info("go on with '%s'", order.resume_command(world.size))
        raise
    if not world.leads:
        return None
    product = _save(order, settings, sources, done, world, resumed=saved is not None)
    checkpoint.discard(order.folder)
    report = order.folder / "training.html"
    write_training_report(report, settings, images, done, world)
    log.info("%s shows how the weights were chosen, and where they are weakest", report)
    return product


def _save(
    order: TrainingJob,
    settings: TrainSettings,
    sources: Sources,
    done: TrainingOutcome,
    world: World,
    *,
    resumed: bool,
) -> Product:
    """The product's new version, with how its weights came about."""
    best = done.best
    log.info(
        "the weights of step %d are the best on simulated anomalies: "
        "image AUROC %.4f, pixel AP %.4f",
        *(best.step, best.image_auroc, best.pixel_ap),
    )
    record = settings.model_dump(mode="json", exclude={"crop", "geometry", "also"}) | {
        "seconds": round(done.seconds, 1),
        "processes": world.size,
        "best_step": best.step,
    }
    trained = Trained(
        model=done.model,
        fit=settings.fit,
        good=sources.part("validation"),
        textures=texture_source(settings.textures, torch.device("cpu")),
        seed=settings.seed,
        sources=sources.record(),
        origin=record,
        curve=[asdict(point) for point in done.curve],
    )
    if resumed and (product := saved_before(trained, settings.products, order.product)):
        log.info("version %s was written before the training was stopped", product.version)
        return product
    return save_product(trained, settings.products, order.product, order.runs)
