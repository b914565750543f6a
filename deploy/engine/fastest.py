"""Which of several proven engines is the fastest on this device, measured in turn."""

import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from edge.engine.plan import Plan
from edge.engine.runtimes import open_plan
from edge.product.golden import read_golden
from edge.product.product import Product

ROUNDS = 60
WARM_UP = 10

log = logging.getLogger(__name__)


def fastest(plans: Sequence[Plan], product: Product) -> Plan:
    """The plan with the smallest median time for one frame; each judges every frame in turn."""
    frames = read_golden(product).frames
    taken: list[list[float]] = [[] for _ in plans]
    with ExitStack() as opened:
        engines = [opened.enter_context(open_plan(plan, product)) for plan in plans]
        for i in range(WARM_UP + ROUNDS):
            frame = frames[i % len(frames)][None]
            for engine, times in zip(engines, taken, strict=True):
                start = time.perf_counter()
                engine.infer(frame)
                times.append(time.perf_counter() - start)
    medians = [1e3 * float(np.median(times[WARM_UP:])) for times in taken]
    for plan, milliseconds in zip(plans, medians, strict=True):
        log.info("%s takes %.2f ms", plan.record.key.precision, milliseconds)
    return plans[int(np.argmin(medians))]
