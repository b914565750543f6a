"""What an engine is compared with: its own runtime's other precisions, and networks in torch."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from edge.base.errors import ProductError
from edge.engine import openvino
from edge.engine.openvino import OpenVinoEngine
from edge.engine.tiled import for_pictures
from edge.product.product import Product
from trainer.studies.bench_stages import Rival

log = logging.getLogger(__name__)

SHARE = 10
"""Torch takes tens of times as long, and judges one in so many frames."""


@contextmanager
def precision_rivals(product: Product, serving: str, rounds: int) -> Iterator[dict[str, Rival]]:
    """Engines of this CPU in the precisions that take no search, unproven, but for `serving`."""
    with ExitStack() as opened:
        rivals: dict[str, Rival] = {}
        for precision in openvino.precisions():
            if precision in ("int8", serving):
                continue
            plan = openvino.compile_plan(product, precision)
            engine = opened.enter_context(OpenVinoEngine(plan, product.shape, precision=precision))
            rivals[f"openvino {precision}"] = Rival(for_pictures(engine, product).infer, rounds)
        yield rivals


def torch_rivals(product: Product, runs: Path, rounds: int, paper: int) -> dict[str, Rival]:
    """Torch eager with the product's weights, and the paper's network in `paper` rounds."""
    from trainer.network.pixels.model import Draem
    from trainer.training.golden import infer
    from trainer.training.save_product import load_weights
    from trainer.training.torch_engine import torch_engine

    rivals: dict[str, Rival] = {}
    try:
        model = load_weights(product, runs)
        eager = torch_engine(model, product.fit, product.manifest.tile)
        rivals["torch eager"] = Rival(eager.infer, max(1, rounds // SHARE))
    except ProductError as error:
        log.warning("%s", error)
    if paper:
        network = Draem(128, 64, product.manifest.score_window).eval()  # any weights take as long
        rivals["torch eager, the paper's 128/64"] = Rival(partial(infer, network), paper)
    return rivals
