"""One training from images to product: locked, resumable, in one process or several."""

import logging
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from edge.archive.data_set import archived_pictures
from edge.archive.places import ArchiveAddress
from edge.base.progress_file import report_progress_to, tell_fact
from edge.base.text import printable
from edge.product.product import Product
from edge.vision.tiles import TilePlan
from trainer.data.sources import Images, Sources, load_sources
from trainer.simulation.simulate import Simulation
from trainer.training import checkpoint
from trainer.training.batches import make_simulation, texture_source, training_images
from trainer.training.checkpoint import Checkpoint, TrainingError
from trainer.training.distributed import ProcessGroup, join, pick_device
from trainer.training.duration import count_steps
from trainer.training.expectation import Expectation, expect, expect_in_tiles
from trainer.training.malloc import keep_freed_memory
from trainer.training.options import with_backbone
from trainer.training.report import write_training_report
from trainer.training.save_product import Trained, save_product, saved_before
from trainer.training.settings import TrainSettings
from trainer.training.train import TrainingOutcome, train

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingJob:
    """What the command line asks for: new settings, or None to resume the checkpoint's."""

    product: str
    runs: Path
    settings: TrainSettings | None
    restart: bool = False
    archive: ArchiveAddress = field(default_factory=ArchiveAddress)

    @property
    def folder(self) -> Path:
        """Where the training keeps its checkpoint and its curves."""
        return self.runs / self.product

    def resume_command(self, processes: int) -> str:
        several = f"torchrun --nproc-per-node {processes} -m trainer"
        runs = "" if self.runs == Path("runs") else f" --runs {self.runs}"
        command = "draem train" if processes == 1 else several
        return f"{command} --resume --product {self.product}{runs}"


def read_sources(settings: TrainSettings, archive: ArchiveAddress | None = None) -> Sources:
    """The images that the settings name; queries are asked of `archive`."""
    s = settings
    with archived_pictures(s.archived, archive or ArchiveAddress(), "good") as found:
        archived = [picture.path for picture in found]
        return load_sources(
            *(s.images, s.fit, s.seed, s.bit_depth, s.also, s.textures, archived, s.runs),
            learn_quality=s.align_quality is None,
        )


def run_job(job: TrainingJob) -> Product | None:
    """Train and write the product; None in processes other than rank 0.

    Raises TrainingError where an unfinished training is in the way or cannot be resumed.
    """
    keep_freed_memory()
    if job.settings is None:
        saved = checkpoint.load(job.folder)
        settings = saved.settings
    else:
        saved, settings = None, job.settings
        if checkpoint.exists(job.folder) and not job.restart:
            processes = checkpoint.load(job.folder).processes
            raise TrainingError(
                f"an unfinished training of {job.product} is in {job.folder}: resume it with "
                f"'{job.resume_command(processes)}', or discard it with --restart"
            )
    with join(pick_device(settings.device)) as group:
        if not group.is_main:
            logging.getLogger().setLevel(logging.WARNING)
            report_progress_to(None)
        if saved and saved.processes != group.size:
            raise TrainingError(
                f"the training was started with {saved.processes} processes: resume it with "
                f"'{job.resume_command(saved.processes)}'"
            )
        sources = read_sources(settings, job.archive)
        images = training_images(settings, sources)
        if not group.agrees(images.digest):
            raise TrainingError(
                "the processes of this training see different images: give all of them the same "
                "folders, or start again where the archive has changed meanwhile"
            )
        if saved and saved.images != images.digest:
            raise TrainingError(
                f"the images in {settings.images} (or of --also, or the textures) have changed "
                "since the training started: restore them, or start again with --restart"
            )
        if saved and settings != with_backbone(settings):
            raise TrainingError(
                f"the backbone {settings.backbone} has changed since the training started: "
                "restore it, or start again with --restart"
            )
        with checkpoint.lock(job.folder) if group.is_main else nullcontext():
            try:
                return _train(job, settings, sources, images, saved, group)
            except torch.OutOfMemoryError as error:
                raise TrainingError(
                    "the GPU's memory is too small: lower --batch, --input, --tile or --size"
                ) from error


def _train(
    job: TrainingJob,
    settings: TrainSettings,
    sources: Sources,
    images: Images,
    saved: Checkpoint | None,
    group: ProcessGroup,
) -> Product | None:
    counts = [len(sources.pictures(split)) for split in ("train", "validation", "calibration")]
    log.info("%d images to train on, %d to validate, %d set aside for calibration", *counts)
    if saved is None:
        checkpoint.discard(job.folder)
        settings = count_steps(settings, images, group)
    log.info(
        "%d steps of %d images, %s network of widths %d/%d, %dx%d%s, on %s",
        *(settings.steps, settings.batch * group.size, settings.network),
        *(settings.rec_width, settings.seg_width, settings.height, settings.width),
        *(in_tiles(settings), group.device),
    )
    try:
        state = saved.state if saved else None
        outcome = train(settings, images, group, folder=job.folder, saved=state)
    except KeyboardInterrupt:
        if checkpoint.exists(job.folder):
            log.info("resume with '%s'", job.resume_command(group.size))
        raise
    if not group.is_main:
        return None
    simulation = make_simulation(settings, images, group.device)
    model = outcome.model.to(group.device)
    if settings.tile is None:
        expectation = expect(model, sources.part("calibration"), simulation, settings.seed)
    else:
        good = sources.pictures("calibration")
        expectation = expect_in_tiles(model, good, settings.tile, simulation, settings.seed)
    model.cpu()
    log.info("%s", expectation)
    tell_fact("expected", text=str(expectation))
    product = _save(job, settings, sources, images, outcome, expectation, simulation, group)
    checkpoint.discard(job.folder)
    report = job.folder / "training.html"
    write_training_report(report, settings, images, outcome, group)
    log.info("%s shows how the weights were chosen, and where they are weakest", report)
    return product


def _save(
    job: TrainingJob,
    settings: TrainSettings,
    sources: Sources,
    images: Images,
    outcome: TrainingOutcome,
    expectation: Expectation,
    simulation: Simulation,
    group: ProcessGroup,
) -> Product:
    """The product's new version, with the record of its training."""
    best = outcome.best
    log.info(
        "the weights of step %d are the best on simulated anomalies: "
        "image AUROC %.4f, pixel AP %.4f",
        *(best.step, best.image_auroc, best.pixel_ap),
    )
    asked = settings.model_dump(mode="json", exclude={"crop", "geometry", "also", "archived"})
    record = {k: printable(v) if isinstance(v, str) else v for k, v in asked.items()} | {
        "seconds": round(outcome.seconds, 1),
        "processes": group.size,
        "best_step": best.step,
        "expected_found": round(expectation.found, 4),
    }
    if settings.archived:
        record["archived"] = printable("; ".join(settings.archived))
    textures = texture_source(settings.textures, torch.device("cpu"))
    trained = Trained(
        model=outcome.model,
        fit=sources.fit,
        tile=settings.tile,
        good=images.validation,
        textures=textures,
        seed=settings.seed,
        sources=sources.record(),
        origin=record,
        curve=[asdict(point) for point in outcome.curve],
        simulation=replace(simulation, textures=textures),
    )
    if job.settings is None and (product := saved_before(trained, settings.products, job.product)):
        log.info("version %s was written before the training was stopped", product.version)
        return product
    return save_product(trained, settings.products, job.product, job.runs)


def in_tiles(settings: TrainSettings) -> str:
    """How the pictures are judged, for the line that says what is trained."""
    tile = settings.tile
    if tile is None:
        return ""
    count = len(TilePlan(settings.height, settings.width, tile).places)
    return f" in {count} tiles of {tile.height}x{tile.width}"
