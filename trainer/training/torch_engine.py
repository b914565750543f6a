"""Trained networks in place of an engine."""

import math

import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.engine import Engine, Inference
from edge.engine.tiled import Tiled
from edge.vision.fit import Fit
from edge.vision.tiles import Tile, TilePlan
from trainer.network.network import Network
from trainer.training.golden import infer


class TorchEngine(Closeable):
    """`infer` by the networks themselves, one input at a time."""

    def __init__(self, model: Network) -> None:
        self._model = model

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        return Inference(*infer(self._model, batch))


def torch_engine(model: Network, fit: Fit, tile: Tile | None) -> Engine:
    """Networks as an engine for the pictures that `fit` prepares, in tiles where they have one."""
    engine = TorchEngine(model)
    if tile is None:
        return engine
    plan = TilePlan(fit.height, fit.width, tile)
    return Tiled(engine, plan, model.spec.window, limit_s=math.inf)
