"""Milliseconds of each stage between a camera's frame and a subscriber in another process."""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as SharedEvent
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopEvent
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import EngineError, PublishError
from edge.camera import all_frames
from edge.camera.address import without_password
from edge.camera.capture import CapturedFrame
from edge.camera.open import open_camera
from edge.engine import Engine
from edge.events.codes import Code
from edge.events.encoding import encode_mask
from edge.events.event import Event, Inspection
from edge.events.journal import Journal
from edge.events.publisher import Publisher
from edge.events.receiver import live
from edge.events.sockets import Sockets
from edge.product.product import Product
from edge.station.event_writer import EventWriter
from edge.station.inspector import Inspector, Stopwatch
from edge.vision.frame import Frame

STAGES = ("fit", "infer", "judge", "encode", "send", "receive")
WARM_UP = 10
DIFFERENT_FRAMES = 50
PIXELS = 1 << 27
"""Of all different frames together: they are held in memory."""


def frames(product: Product, source: str) -> list[Frame]:
    """Frames of `source`, at most DIFFERENT_FRAMES, to be inspected repeatedly.

    Of large ones there are fewer. Raises EngineError where there are none, or where they are too
    small for the product.
    """
    with open_camera(source, triggered=False) as camera:
        whole = (frame for frame in all_frames(camera) if frame.code is Code.NONE)
        made = list(islice(whole, 1))
        if made:
            more = PIXELS // max(1, made[0].image.shape[0] * made[0].image.shape[1])
            made += islice(whole, min(DIFFERENT_FRAMES, more) - 1 if more else 0)
    if not made:
        raise EngineError(f"{without_password(source)} gave no frame: name another --source")
    try:
        product.fit(made[0].image)
    except ValueError as error:
        raise EngineError(f"{error}: name a --source with larger frames") from error
    return made


def stages(
    engine: Engine, product: Product, pictures: list[Frame], count: int
) -> dict[str, list[float]]:
    """For each stage the milliseconds of `count` frames.

    `receive` is the age of the event when another process has decoded it: from the stamp in its
    header on, so that it contains `send`.
    """
    inspector = Inspector(engine, product)
    taken: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with (
        TemporaryDirectory() as folder,
        Journal(Path(folder)) as journal,
        Sockets() as sockets,
        Publisher(sockets, "tcp://127.0.0.1:*") as publisher,
        receiving(publisher.endpoint) as next_age_ms,
    ):
        writer = EventWriter("bench", product, journal, publisher)
        publisher.wait_for_subscribers(1, StopEvent())
        for i in range(count + WARM_UP):
            frame = pictures[i % len(pictures)]
            clock = Stopwatch()
            judged = inspector.inspect(frame, clock)
            mask = encode_mask(judged.mask_in_frame()) if judged.placement else b""
            clock.lap("encode")
            writer.inspection(CapturedFrame(frame, 0), judged, clock.laps_ms, mask)
            clock.lap("send")
            # The next frame waits for this event, as on a line that is not at its limit.
            laps = {**clock.laps_ms, "receive": next_age_ms()}
            for stage, ms in laps.items():
                taken[stage].append(ms)
    return {stage: values[WARM_UP:] for stage, values in taken.items()}


class Rival(NamedTuple):
    """Something that judges the same batches, in so many of the rounds."""

    infer: Callable[[NDArray[np.uint8]], object]
    rounds: int


def pairs(
    engine: Callable[[NDArray[np.uint8]], object],
    rivals: Mapping[str, Rival],
    fitted: list[NDArray[np.uint8]],
    count: int,
) -> dict[str, dict[str, float]]:
    """Milliseconds of the engine and of its rivals for the same frames in turn.

    `ratio` is the median over a rival's rounds of its time divided by the engine's in that round.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in rivals}
    alone = []
    for i in range(count + WARM_UP):
        batch = fitted[i % len(fitted)][None]
        mine = _milliseconds(engine, batch)
        alone.append(mine)
        for name, rival in rivals.items():
            if i < WARM_UP + rival.rounds:
                warm = i >= WARM_UP or i == 0  # a slow one is warm after its first
                if warm:
                    taken[name].append((_milliseconds(rival.infer, batch), mine))
    figures = {"engine": percentiles(alone[WARM_UP:])}
    for name, both in taken.items():
        theirs, ours = np.array(both[1:]).T
        figures[name] = {**percentiles(theirs), "ratio": float(np.median(theirs / ours))}
    return figures


def _milliseconds(infer: Callable[[NDArray[np.uint8]], object], batch: NDArray[np.uint8]) -> float:
    start = time.perf_counter()
    infer(batch)
    return 1e3 * (time.perf_counter() - start)


@contextmanager
def receiving(endpoint: str) -> Iterator[Callable[[], float]]:
    """A subscriber in another process; the function returns how old the next event was there."""
    context = multiprocessing.get_context("spawn")
    connection, other_end = context.Pipe()
    done = context.Event()

    def next_age_ms() -> float:
        if not connection.poll(10):
            raise PublishError("no event arrived within 10 s: try again on a less busy machine")
        return float(np.frombuffer(connection.recv_bytes(), np.float64)[0])

    process = context.Process(target=_receive, args=(endpoint, other_end, done))
    process.start()
    try:
        yield next_age_ms
    finally:
        done.set()
        process.join(5)


def _receive(endpoint: str, connection: Connection, done: SharedEvent) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    for event in live(endpoint, done.is_set):
        if isinstance(event, Event) and isinstance(event.header, Inspection):
            age = (time.monotonic_ns() - event.header.published_ns) / 1e6
            connection.send_bytes(np.float64(age).tobytes())


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50 and p99."""
    return {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}
