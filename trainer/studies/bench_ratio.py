"""The engine against torch eager with the same weights, in interleaved pairs."""

import time

import numpy as np
import torch
from numpy.typing import NDArray

from edge.engine import Engine
from trainer.network.model import Draem
from trainer.studies.bench_stages import WARM_UP, percentiles
from trainer.training.golden import infer


def pairs(
    engine: Engine, model: Draem, fitted: list[NDArray[np.uint8]], count: int
) -> dict[str, object]:
    """Milliseconds of both for the same frames in turn, and the median of the pairs' ratios."""
    engine_ms, torch_ms = [], []
    for i in range(count + WARM_UP):
        batch = fitted[i % len(fitted)][None]
        start = time.perf_counter()
        engine.infer(batch)
        between = time.perf_counter()
        infer(model, batch)
        engine_ms.append(1e3 * (between - start))
        torch_ms.append(1e3 * (time.perf_counter() - between))
    engine_ms, torch_ms = engine_ms[WARM_UP:], torch_ms[WARM_UP:]
    return {
        "engine": percentiles(engine_ms),
        "torch eager": percentiles(torch_ms),
        "ratio": float(np.median(np.array(torch_ms) / np.array(engine_ms))),
        "torch_threads": torch.get_num_threads(),
    }
