"""Where a frame's milliseconds go, from the camera's buffer to the published event: `./just floor`.

A whole station (loop, engine, log, sockets) judges pictures of the simulated line, drawn before and
brought to 640x480 and 1920x1200, one after another. Of each stage: wall time, processor time of the
loop's thread, and the least that this machine could need, from what the stage must read, write and
compute and from the machine's limits, measured in the same run. The product is that of the last
demo, or another one without tiles that takes frames of any size (one without a crop).
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopEvent
from threading import Semaphore
from typing import Any, NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from edge.camera import EndOfStream
from edge.camera.open import open_camera
from edge.commands.doctor import processor
from edge.engine import runtimes
from edge.engine.openvino import read_model
from edge.events import logged_writer
from edge.events.journal import Journal
from edge.events.publisher import Publisher
from edge.product.product import Product, load_product
from edge.station import event_writer, inspector, loop
from edge.station.control import Controls
from edge.station.open import open_station
from edge.station.settings import Station
from edge.vision.frame import Frame, Size
from tests.measure.limits import Limits, Work, measured_limits, network_work
from tests.support.minimal_station import FakeCamera
from tests.support.ports import free_ports

SIZES: tuple[Size, ...] = ((640, 480), (1920, 1200))
WARM_UP, DIFFERENT = 10, 20
PAUSE_S = 0.005  # after each event, so that the loop waits for each frame, as on a line
LINE = "line://moulded?rate=0&defects=0.2&seed=5"
TIMED = {
    "fit": (inspector, "prepare"),
    "quality": (inspector, "measure"),
    "judge": (inspector, "judge"),
    "mask": (loop, "encode_mask"),
    "header": (event_writer, "judged_part"),
    "JSON": (logged_writer, "encode"),
    "log": (Journal, "append"),
    "publish": (Publisher, "send"),
}
"""Stages, and the functions that do them."""


class Taken(NamedTuple):
    """Milliseconds of wall time, and of processor time of the loop's thread."""

    wall: float
    cpu: float


class Stages:
    """Times the product's functions while a station runs; `frames` has a row for each event."""

    def __init__(self) -> None:
        self._now: dict[str, Taken] = {}
        self._began, self.published = 0, Semaphore(1)
        self.frames: list[dict[str, Taken]] = []

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*words: Any, **named: Any) -> Any:
            wall, cpu = time.monotonic_ns(), time.thread_time_ns()
            if stage == "fit":
                self._begin(words[0], wall, cpu)
            try:
                return function(*words, **named)
            finally:
                end, cpu_end = time.monotonic_ns(), time.thread_time_ns()
                self._now[stage] = Taken((end - wall) / 1e6, (cpu_end - cpu) / 1e6)
                if stage == "publish" and words[1][0] == b"inspection":
                    self._end(end, cpu_end)

        return call

    def _begin(self, frame: Frame, wall: int, cpu: int) -> None:
        self._captured, self._began = frame.captured_ns, cpu
        self._now = {"hand-over": Taken((wall - frame.captured_ns) / 1e6, 0)}

    def _end(self, wall: int, cpu: int) -> None:
        total = Taken((wall - self._captured) / 1e6, (cpu - self._began) / 1e6)
        infer, known = self._now["infer"], self._now.values()
        self._now["rest"] = Taken(
            *(all_ - sum(k) for all_, k in zip(total, zip(*known, strict=True), strict=True))
        )
        self._now["all but infer"] = Taken(total.wall - infer.wall, total.cpu - infer.cpu)
        self.frames.append(self._now)
        self.published.release()


class Pictures(FakeCamera):
    """The same pictures again and again, each after the event of the one before."""

    live = False

    def __init__(self, size: Size, count: int, published: Semaphore) -> None:
        with open_camera(LINE, triggered=False) as line:
            self._images = [cv2.resize(line.read().image, size) for _ in range(DIFFERENT)]
        self._left, self._count, self._published = count, 0, published

    def read(self) -> Frame:
        self._published.acquire()
        time.sleep(PAUSE_S)
        if self._count == self._left:
            raise EndOfStream("all are judged")
        self._count += 1
        image = np.asarray(self._images[self._count % DIFFERENT], np.uint8)
        return Frame(image, self._count, time.monotonic_ns())


def measure(product: Product, size: Size, count: int, threads: int | None) -> Stages:
    """Judge `count` frames in a whole station."""
    stages = Stages()
    with ExitStack() as opened:
        settings = Station.model_validate(
            {
                "endpoint": f"tcp://127.0.0.1:{free_ports(4)[0]}",
                "data": opened.enter_context(TemporaryDirectory()),
            }
        )
        engine = opened.enter_context(runtimes.load_model(product, None, threads))
        camera = Pictures(size, count + WARM_UP, stages.published)
        for stage, (owner, name) in (TIMED | {"infer": (type(engine), "infer")}).items():
            opened.enter_context(
                patch.object(owner, name, stages.timed(stage, getattr(owner, name)))
            )
        controls = Controls(product)
        writer, _, show = open_station(settings, product, controls, opened)
        pace = loop.Pace(triggered=False, deadline_ms=10_000)
        loop.run(camera, engine, writer, StopEvent(), pace, controls, show)
    return stages


def work(product: Product, size: Size, integers: bool) -> dict[str, Work]:
    """What the stages that touch pixels must do at least."""
    frame, fitted = 3 * size[0] * size[1], 3 * product.fit.width * product.fit.height
    heat = fitted // 3
    network = network_work(read_model(product), integers=integers)
    return {
        "fit": Work(2 * frame, frame + fitted),
        "infer": Work(network.operations, network.moved + fitted + 4 * heat),
        "quality": Work(10 * heat, fitted),
        "judge": Work(2 * heat, 4 * heat + heat),
        "mask": Work(heat, heat),
    }


def show(title: str, stages: Stages, least: dict[str, float]) -> None:
    """One table: medians of all frames."""
    table = Table("stage", "ms", "p99", "processor ms", "least ms", "times", title=title)
    rows = stages.frames[WARM_UP:]
    order = ("hand-over", "fit", "infer", *list(TIMED)[1:], "rest", "all but infer")
    for stage in order:
        taken = np.array([row[stage] for row in rows])
        (wall, cpu), p99 = np.median(taken, axis=0), np.percentile(taken[:, 0], 99)
        possible, spent = least.get(stage), wall if stage == "infer" else cpu
        told = ("", "") if possible is None else (f"{possible:.3f}", f"{spent / possible:.1f}")
        table.add_row(stage, f"{wall:.3f}", f"{p99:.3f}", f"{cpu:.3f}", *told)
    Console(width=100).print(table)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="floor", description=__doc__)
    parser.add_argument("--products", type=Path, default=Path("demo/products"), metavar="DIR")
    parser.add_argument("--product", default="lid")
    parser.add_argument("--frames", type=int, default=300, help="of each size")
    parser.add_argument("--threads", type=int, help="cores of the engine (default: all)")
    options = parser.parse_args(argv)
    product = load_product(options.products, options.product, None)
    precision = runtimes.proven_plan(product).record.key.precision
    threads = options.threads or len(os.sched_getaffinity(0))
    one, all_cores = measured_limits(1), measured_limits(threads)
    for cores, limits in ((1, one), (threads, all_cores)):
        print(told(cores, limits))
    for size in SIZES:
        stages = measure(product, size, options.frames, threads)
        todo = work(product, size, precision == "int8")
        least = {name: one.milliseconds(task) for name, task in todo.items()}
        least["infer"] = all_cores.milliseconds(todo["infer"], integers=precision == "int8")
        height, width = product.shape
        title = f"{size[0]}x{size[1]} to {width}x{height}, {precision}, {processor()}"
        show(title, stages, least)
    return 0


def told(cores: int, limits: Limits) -> str:
    return (
        f"{cores} core(s): {limits.float32 / 1e9:.0f} GFLOP/s in float32, "
        f"{limits.int8 / 1e9:.0f} Gop/s in int8, a copy moves {limits.bandwidth / 1e9:.1f} GB/s"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
