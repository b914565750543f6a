"""From trained networks to a product's version; the float32 weights are kept in the runs folder."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge.base.errors import ProductError
from edge.base.files import digest, write_json
from edge.product.alignment_file import write_reference
from edge.product.manifest import Manifest
from edge.product.product import Product, load_product, now
from edge.product.simulated import SIMULATED
from edge.product.versions import activate_first, finish_version, new_version
from edge.vision.fit import Fit
from edge.vision.tiles import Tile
from trainer.network.make import make_network
from trainer.network.network import Network
from trainer.network.onnx_export import export
from trainer.network.spec import NetworkSpec
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import TextureSource
from trainer.training.checkpoint import save_tensors
from trainer.training.golden import write_golden
from trainer.training.simulated import write_simulated

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Trained:
    """Trained networks and what they were trained from.

    `good` are inputs of the network uint8 [N, H, W, 3] for the golden check, with anomalies of
    `textures`; they are crops where pictures are judged in tiles. `curve` are the validations that
    the weights were chosen by. With a `simulation`, drawn on the CPU, `good` are also what engines
    of reduced precision are proven with.
    """

    model: Network
    fit: Fit
    good: NDArray[np.uint8]
    textures: TextureSource
    seed: int
    sources: dict[str, object]
    origin: dict[str, str | int | float | bool | None]
    curve: list[dict[str, float]] = field(default_factory=list)
    tile: Tile | None = None
    simulation: Simulation | None = None


def save_product(trained: Trained, products: Path, name: str, runs: Path) -> Product:
    """Write a new version: model.onnx, what engines are proven with, records, the manifest.

    With an alignment also its reference picture.
    """
    model, fit = trained.model, trained.fit
    with new_version(products, name) as draft:
        size = trained.tile or fit
        export(model, size.height, size.width, draft / "model.onnx")
        golden = draft / "golden.npz"
        write_golden(model, trained.good, trained.textures, trained.seed, golden)
        _write_simulated(trained, draft / SIMULATED)
        write_json(draft / "sources.json", trained.sources)
        write_json(draft / "training.json", {"curve": trained.curve})
        if fit.aligner is not None:
            write_reference(draft, fit.aligner)
        save_tensors(model.state_dict(), weights_path(runs, name, digest(draft / "model.onnx")))
        manifest = Manifest(
            name=name,
            version="0",  # finish_version sets the number
            created=now(),
            height=fit.height,
            width=fit.width,
            interpolation=fit.interpolation,
            crop=fit.crop,
            network=model.spec.kind,
            backbone=model.spec.backbone,
            memory=model.spec.memory,
            rec_width=model.spec.rec_width,
            seg_width=model.spec.seg_width,
            score_window=model.spec.window,
            origin=trained.origin,
            files={},
            geometry=fit.geometry,
            alignment=fit.aligner and fit.aligner.settings,
            tile=trained.tile,
        )
        return finish_version(draft, manifest)


def _write_simulated(trained: Trained, path: Path) -> None:
    if trained.simulation is None:
        return
    if not write_simulated(trained.model, trained.good, trained.simulation, trained.seed, path):
        log.warning(
            "too few simulated anomalies change these images visibly: engines of this version can "
            "be built in the model's own precision only"
        )


def saved_before(trained: Trained, products: Path, name: str) -> Product | None:
    """The newest version, if this training wrote it and was stopped right after that."""
    try:
        newest = load_product(products, name, "newest")
    except ProductError:
        return None
    sources, training = (
        json.loads((newest.path / part).read_text(encoding="utf-8"))
        for part in ("sources.json", "training.json")
    )
    made = newest.manifest.origin, newest.fit, newest.manifest.tile, sources, training
    wanted = trained.origin, trained.fit, trained.tile, trained.sources, {"curve": trained.curve}
    if made != wanted:
        return None
    activate_first(newest.path)
    return newest


def weights_path(runs: Path, name: str, model_digest: str) -> Path:
    """The file of the float32 weights behind a model.onnx."""
    return runs / name / f"{model_digest[:12]}.pt"


def load_weights(product: Product, runs: Path) -> Network:
    """The trained networks behind a product. Raises ProductError where their file is missing."""
    path = weights_path(runs, product.name, product.model_digest)
    if not path.is_file():
        raise ProductError(
            f"the weights of {product.name} version {product.version} are not at {path}: "
            "name the folder of its training with --runs"
        )
    m = product.manifest
    spec = NetworkSpec(m.network, m.rec_width, m.seg_width, m.score_window, m.backbone, m.memory)
    model = make_network(spec)
    try:
        model.load_state_dict(torch.load(path, weights_only=True))
    except Exception as error:
        raise ProductError(f"{path} is damaged: restore it from a backup or train again") from error
    return model.eval()
