"""Milliseconds of each stage between a camera's frame and a subscriber in another process."""

import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as SharedEvent
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopEvent
from typing import Self

import numpy as np

from edge.base.errors import EngineError, PublishError
from edge.camera import next_frame
from edge.camera.capture import CapturedFrame
from edge.camera.open import open_camera
from edge.engine import Engine
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


def frames(product: Product, source: str) -> list[Frame]:
    """Some frames of `source`, to be shown again and again.

    Raises EngineError where the product looks beyond such a frame.
    """
    with open_camera(source, triggered=False) as camera:
        made = [next_frame(camera) for _ in range(DIFFERENT_FRAMES)]
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
        Receiver(publisher.endpoint) as receiver,
    ):
        stream = EventWriter("bench", product, journal, publisher)
        publisher.wait_for_subscribers(1, StopEvent())
        for i in range(count + WARM_UP):
            frame = pictures[i % len(pictures)]
            clock = Stopwatch()
            judged = inspector.inspect(frame, clock)
            mask = encode_mask(judged.judgement.mask) if judged.placement else b""
            clock.lap("encode")
            stream.inspection(CapturedFrame(frame, 0), judged, clock.laps_ms, mask)
            clock.lap("send")
            # The next frame waits for this event, as on a line that is not at its limit.
            laps = {**clock.laps_ms, "receive": receiver.age_ms()}
            for stage, ms in laps.items():
                taken[stage].append(ms)
    return {stage: values[WARM_UP:] for stage, values in taken.items()}


class Receiver:
    """A subscriber in a process of its own that notes how old each event is when it is decoded."""

    def __init__(self, endpoint: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, far = context.Pipe()
        self._done = context.Event()
        self._process = context.Process(target=_receive, args=(endpoint, far, self._done))

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._process.join(5)

    def age_ms(self) -> float:
        """How old the next event was when it arrived. Raises PublishError where none does."""
        if not self._connection.poll(10):
            raise PublishError(
                "an event did not arrive within 10 s: try again on a quieter machine"
            )
        return float(np.frombuffer(self._connection.recv_bytes(), np.float64)[0])


def _receive(endpoint: str, connection: Connection, done: SharedEvent) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    for event in live(endpoint, done.is_set):
        if isinstance(event, Event) and isinstance(event.header, Inspection):
            age = (time.monotonic_ns() - event.header.published_ns) / 1e6
            connection.send_bytes(np.float64(age).tobytes())


def percentiles(values: list[float]) -> dict[str, float]:
    """p50 and p99."""
    return {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}
