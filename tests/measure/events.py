"""What events cost: commit, publish and receive in other processes; './just events' runs it.

latency    100 events a second with masks, durability process and full
sustained  1000 events a second for a minute, with a watcher and a subscriber that keeps a cursor
stopped    a subscriber that stops reading for a minute: the loop's p99 before, meanwhile and after
million    a log of a million events: start, and a page of 100 from its middle
"""

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopEvent

import numpy as np

from edge.base.console import track
from edge.camera.capture import CapturedFrame
from edge.events.encoding import encode_mask
from edge.events.event import Inspection
from edge.events.journal import DATABASE_NAME, Durability, Journal
from edge.events.journal_reader import JournalReader
from edge.events.publisher import Publisher
from edge.events.replay_server import serve_replay
from edge.events.sockets import Sockets
from edge.events.subscriber import events
from edge.station.event_writer import EventWriter
from edge.station.inspector import Inspector, Stopwatch
from tests.measure.soak import resident_mb
from tests.support.minimal_station import PRODUCT, MeanEngine, frame
from tests.support.ports import free_ports

MASK = 256
Figures = dict[str, float]


def receive(name: str, folder: str, endpoint: str, cursor: str) -> None:
    """A subscriber in a process of its own; it writes each event's number and age at SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    seqs, ages = [], []
    try:
        for event in events(endpoint, Path(folder) / f"{name}.cursor" if cursor else None):
            if isinstance(event.header, Inspection):
                seqs.append(event.header.seq)
                ages.append((time.monotonic_ns() - event.header.published_ns) / 1e6)
    finally:
        np.savez(Path(folder) / f"{name}.npz", seqs=seqs, ages=ages)


class Receiver:
    """The process of `receive`."""

    def __init__(self, name: str, folder: Path, endpoint: str, *, cursor: bool = False) -> None:
        words = ["receive", name, str(folder), endpoint, "cursor" if cursor else ""]
        self._process = subprocess.Popen([sys.executable, "-m", "tests.measure.events", *words])
        self._path = folder / f"{name}.npz"
        self.pid = self._process.pid

    def found(self) -> tuple[list[int], list[float]]:
        """Numbers and ages in milliseconds."""
        time.sleep(2)
        self._process.terminate()
        self._process.wait(30)
        with np.load(self._path) as kept:
            return kept["seqs"].tolist(), kept["ages"].tolist()


@contextmanager
def station(folder: Path, durability: Durability) -> Iterator[tuple[EventWriter, Publisher]]:
    port = free_ports(2)[0]
    with (
        Journal(folder / "log", durability) as journal,
        Sockets() as sockets,
        Publisher(sockets, f"tcp://127.0.0.1:{port}") as publisher,
        serve_replay(sockets, f"tcp://127.0.0.1:{port + 1}", folder / "log"),
    ):
        yield EventWriter("bench", PRODUCT, journal, publisher), publisher


def write_events(
    stream: EventWriter, rate: float, count: int, first: int, text: str
) -> list[float]:
    """Events of an NG with a mask at a rate; returns the milliseconds that each took the loop."""
    taken = CapturedFrame(frame(1, 200), 0)
    judged = Inspector(MeanEngine(), PRODUCT).inspect(taken.frame, Stopwatch())
    drawn = np.zeros((MASK, MASK), np.uint8)
    drawn[80:120, 60:140] = 255
    mask, cost, due = encode_mask(drawn), [], time.monotonic()
    for i in track(range(count), text):
        one = CapturedFrame(frame(first + i, 200), 0)
        start = time.monotonic()
        stream.inspection(one, judged, {}, mask)
        cost.append((time.monotonic() - start) * 1e3)
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))
    return cost


def percentiles(name: str, values: list[float]) -> Figures:
    p50, p99 = np.percentile(values, [50, 99])
    return {f"{name}_p50_ms": round(float(p50), 3), f"{name}_p99_ms": round(float(p99), 3)}


def latency(folder: Path, seconds: int) -> Figures:
    figures: Figures = {}
    for durability in ("process", "full"):
        place = folder / durability
        place.mkdir()
        with station(place, durability) as (stream, publisher):
            far = Receiver("far", place, publisher.endpoint)
            publisher.wait_for_subscribers(1, StopEvent())
            cost = write_events(stream, 100, 100 * seconds, 1, durability)
            seqs, ages = far.found()
        assert seqs == list(range(1, len(cost) + 1)), "events were lost"
        figures |= percentiles(f"{durability}_receive", ages)
        figures |= percentiles(f"{durability}_loop", cost)
    return figures


def sustained(folder: Path, seconds: int) -> Figures:
    with station(folder, "process") as (stream, publisher):
        watcher = Receiver("watcher", folder, publisher.endpoint)
        keeper = Receiver("keeper", folder, publisher.endpoint, cursor=True)
        publisher.wait_for_subscribers(2, StopEvent())
        write_events(stream, 1000, 5000, 1, "warm-up")
        before = [resident_mb(pid) for pid in (os.getpid(), watcher.pid, keeper.pid)]
        start = time.monotonic()
        cost = write_events(stream, 1000, 1000 * seconds, 5001, "sustained")
        rate = len(cost) / (time.monotonic() - start)
        after = [resident_mb(pid) for pid in (os.getpid(), watcher.pid, keeper.pid)]
        everything = list(range(1, 5001 + len(cost)))
        ages = []
        for far in (watcher, keeper):
            seqs, found = far.found()
            assert seqs == everything, "events were lost"
            ages += found[5000:]
    grown = [round(b - a, 1) for a, b in zip(before, after, strict=True)]
    figures = {"rate": round(rate, 1), **percentiles("receive", ages), **percentiles("loop", cost)}
    names = ("inspector_grew_mb", "watcher_grew_mb", "keeper_grew_mb")
    return figures | dict(zip(names, grown, strict=True))


def stopped(folder: Path, seconds: int) -> Figures:
    """The loop's cost while the subscriber reads, is stopped, and reads again."""
    with station(folder, "process") as (stream, publisher):
        far = Receiver("far", folder, publisher.endpoint, cursor=True)
        publisher.wait_for_subscribers(1, StopEvent())
        write_events(stream, 100, 500, 1, "warm-up")
        first = 501
        costs: dict[str, list[float]] = {"reading": [], "stopped": []}
        for state in ("reading", "stopped"):
            if state == "stopped":
                os.kill(far.pid, signal.SIGSTOP)
            costs[state] += write_events(stream, 100, 100 * seconds, first, state)
            first += 100 * seconds
        os.kill(far.pid, signal.SIGCONT)
        costs["again"] = write_events(stream, 100, 100 * seconds, first, "reading again")
        seqs, _ = far.found()
    assert seqs == list(range(1, first + 100 * seconds)), "events were lost"
    return {k: v for state, cost in costs.items() for k, v in percentiles(state, cost).items()}


def million(folder: Path, count: int) -> Figures:
    with station(folder, "process") as (stream, _):
        write_events(stream, 1e9, 1000, 1, "first events")
    path = folder / "log" / DATABASE_NAME
    with sqlite3.connect(path) as log:
        log.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO events SELECT i, kind, verdict, i, i, published_at, "
            "json_set(header, '$.seq', i), mask FROM n JOIN events ON seq = 1 + i % 1000",
            (count,),
        )
    size = path.stat().st_size / 1e6
    start = time.monotonic()
    with Journal(folder / "log") as journal:
        opened = time.monotonic() - start
        assert journal.head == count
        with JournalReader(folder / "log") as reader:
            pages = []
            for i in range(50):
                start = time.monotonic()
                page = reader.page(count // 2 + 1000 * i, 100)
                pages.append((time.monotonic() - start) * 1e3)
                assert len(page) == 100
    return {"size_mb": round(size), "start_s": round(opened, 3), **percentiles("page", pages)}


BENCHES = {"latency": latency, "sustained": sustained, "stopped": stopped, "million": million}
LENGTHS = {"latency": 30, "sustained": 60, "stopped": 60, "million": 1_000_000}


def main() -> None:
    if sys.argv[1:2] == ["receive"]:
        receive(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", nargs="*", choices=[*BENCHES, []], default=[])
    options = parser.parse_args()
    for name in options.bench or BENCHES:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            found = BENCHES[name](Path(folder), LENGTHS[name])
        print(json.dumps({name: found}, indent=2), flush=True)


if __name__ == "__main__":
    main()
