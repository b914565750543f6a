"""Milliseconds of each stage between a camera's frame and a subscriber in another process."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as SharedEvent
from threading import Event as StopEvent
from typing import Self

import numpy as np

from edge.camera.line import LineCamera
from edge.capture import Taken
from edge.engine import Engine
from edge.event import Inspection, encode, encode_mask
from edge.frame import Frame
from edge.inspector import Inspector, Stopwatch
from edge.product import Product
from edge.publish import Publisher
from edge.stream import Stream
from edge.subscribe import events

STAGES = ("fit", "infer", "judge", "encode", "send", "receive")
WARM_UP = 10
DIFFERENT_FRAMES = 50


def frames() -> list[Frame]:
    """Frames of 640x480 from the simulated line, one in five with a defect."""
    with LineCamera("line://machined?rate=0&defects=0.2", triggered=False) as camera:
        return [camera.read() for _ in range(DIFFERENT_FRAMES)]


def stages(engine: Engine, product: Product, count: int) -> dict[str, list[float]]:
    """For each stage the milliseconds of `count` frames; `receive` ends in another process."""
    inspector, stream = Inspector(engine, product), Stream("bench")
    taken: dict[str, list[float]] = {stage: [] for stage in STAGES}
    pictures = frames()
    with Publisher("tcp://127.0.0.1:*") as publisher, Receiver(publisher.endpoint) as receiver:
        publisher.wait_for_subscribers(1, StopEvent())
        for i in range(count + WARM_UP):
            frame = pictures[i % len(pictures)]
            clock = Stopwatch()
            judged = inspector(frame, clock)
            mask = encode_mask(judged.judgement.mask)
            clock.lap("encode")
            header = stream.inspection(Taken(frame, 0), judged, product, clock.laps_ms)
            publisher.send(encode(header, mask))
            clock.lap("send")
            for stage, ms in clock.laps_ms.items():
                taken[stage].append(ms)
        taken["receive"] = receiver.result(count + WARM_UP)
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

    def result(self, count: int) -> list[float]:
        """The ages of `count` events, in milliseconds."""
        ages: list[float] = []
        while len(ages) < count and self._connection.poll(5):
            ages.append(float(np.frombuffer(self._connection.recv_bytes(), np.float64)[0]))
        return ages


def _receive(endpoint: str, connection: Connection, done: SharedEvent) -> None:
    for event in events(endpoint, done.is_set):
        if isinstance(event.header, Inspection):
            age = (time.monotonic_ns() - event.header.published_ns) / 1e6
            connection.send_bytes(np.float64(age).tobytes())


def percentiles(values: list[float]) -> dict[str, float]:
    """p50 and p99."""
    return {"p50": float(np.percentile(values, 50)), "p99": float(np.percentile(values, 99))}
