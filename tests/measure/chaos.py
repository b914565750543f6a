"""Chaos: each trigger has exactly one event at the subscribers, whatever is killed and when.

`python -m tests.measure.chaos --blows 200 --triggers 50000` starts a line (a process whose trigger
counter never restarts), an inspector with the real loop, log and sockets around a stub of an
engine, a bridge that acknowledges, and a watcher; between them a proxy. Then it disturbs them at
random: kill -9, SIGSTOP for a while, cut, delayed and half-closed connections.
"""

import argparse
import json
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as StopEvent

from rich.progress import track

from edge.camera import FrameTimeout
from edge.events.cursors import Cursors
from edge.events.event import Heartbeat, Inspection
from edge.events.journal import Journal
from edge.events.publisher import Publisher
from edge.events.receiver import live
from edge.events.replay_server import serve_replay
from edge.events.retention import Retention, RetentionLimits
from edge.events.sockets import Sockets
from edge.events.subscriber import Acknowledging, events
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from edge.station.loop import Pace, run
from edge.vision.frame import Frame
from tests.support.minimal_station import PRODUCT, FakeCamera, MeanEngine, frame
from tests.support.ports import free_ports
from tests.support.proxy import Proxy

SETTLE_S = 60.0


class TriggerCamera(FakeCamera):
    """Takes a picture for each datagram; those sent while it is down are lost, as in a plant."""

    live = True

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(0.1)

    def read(self) -> Frame:
        try:
            words = self._socket.recv(64).split()
        except TimeoutError as error:
            raise FrameTimeout("no trigger") from error
        trigger_id = int(words[0])
        made = frame(trigger_id, gray=255 if trigger_id % 10 == 0 else 0)
        # The time of the trigger, as a camera with a clock has it.
        return replace(made, captured_ns=int(words[1]) if words[1:] else time.monotonic_ns())

    def close(self) -> None:
        self._socket.close()


def send_triggers(port: int, rate: float, count: int, progress: Path) -> None:
    """The line: `count` triggers at `rate` a second, with its progress in a file."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        due = time.monotonic()
        for trigger_id in range(1, count + 1):
            out.sendto(str(trigger_id).encode(), ("127.0.0.1", port))
            if trigger_id % 100 == 0 or trigger_id == count:
                progress.write_text(str(trigger_id))
            due += 1 / rate
            time.sleep(max(0.0, due - time.monotonic()))


def inspect_triggers(folder: Path, port: int, endpoint: str, replay_at: str) -> None:
    """The inspector, until SIGTERM."""
    stop = StopEvent()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with (
        Journal(folder) as journal,
        Cursors(folder) as cursors,
        Sockets() as sockets,
        Publisher(sockets, endpoint) as publisher,
        serve_replay(sockets, replay_at, folder),
        TriggerCamera(port) as camera,
    ):
        retention = Retention(journal, cursors, RetentionLimits(days=10 / 86400))
        stream = EventWriter("chaos", PRODUCT, journal, publisher, retention)
        pace = Pace(triggered=True, deadline_ms=1000, backlog=200)
        run(camera, MeanEngine(), stream, stop, pace, Controls(PRODUCT))


def apply_events(name: str, folder: Path, endpoint: str, replay_at: str) -> None:
    """A subscriber that stores each event once, and knows what it has stored."""
    database = sqlite3.connect(folder / f"{name}.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS applied "
        "(seq INTEGER, trigger_id INTEGER, code TEXT, verdict TEXT)"
    )
    last = database.execute("SELECT max(seq) FROM applied").fetchone()[0] or 0
    acknowledging = Acknowledging(name, "bridge") if name == "bridge" else None
    cursor = folder / f"{name}.cursor"
    first = True
    for event in events(endpoint, cursor, replay=replay_at, acknowledging=acknowledging):
        header = event.header
        if first and header.seq == last:
            first = False
            continue  # it was being processed when this process was killed
        first = False
        part = header if isinstance(header, Inspection) else None
        row = (
            header.seq,
            part and part.trigger_id,
            part and part.code.name,
            part and part.verdict,
        )
        database.execute("INSERT INTO applied VALUES (?, ?, ?, ?)", row)
        last = header.seq


ROLES: dict[str, Callable[..., None]] = {
    "line": lambda port, rate, count, progress: send_triggers(
        int(port), float(rate), int(count), Path(progress)
    ),
    "inspector": lambda folder, port, *at: inspect_triggers(Path(folder), int(port), *at),
    "far": lambda name, folder, *at: apply_events(name, Path(folder), *at),
}


class Part:
    """A process that is frozen, or killed and started again."""

    def __init__(self, *words: str, module: str = "tests.measure.chaos") -> None:
        self._command = [sys.executable, "-m", module, *words]
        self._process = subprocess.Popen(self._command)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process = subprocess.Popen(self._command)

    def freeze(self, seconds: float) -> None:
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def finished(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def disturb(chance: random.Random, parts: dict[str, Part], proxies: list[Proxy]) -> str:
    """Disturb one process or connection at random; returns what was done."""
    name = chance.choice([*parts, "network"])
    if name == "network":
        proxy, how = chance.choice(proxies), chance.choice(["cut", "half-close", "delay"])
        {"cut": proxy.cut, "half-close": proxy.half_close, "delay": proxy.delay}[how]()
        return f"network {how}"
    if chance.random() < 0.6:
        parts[name].kill()
        return f"{name} killed"
    parts[name].freeze(chance.uniform(0.2, 2.0))
    return f"{name} frozen"


def storm(
    folder: Path, blows: int, triggers: int, rate: float, seed: int, least_judged: float = 0.5
) -> dict[str, int]:
    """Run it all; returns how often each disturbance came. Raises AssertionError for any loss.

    `least_judged` is the share of triggers that must have a verdict.
    """
    chance = random.Random(seed)
    trigger_port, *ports = free_ports(5)
    near = [f"tcp://127.0.0.1:{port}" for port in ports[:2]]
    far = [f"tcp://127.0.0.1:{port}" for port in ports[2:]]
    proxies = [Proxy(listen, to) for listen, to in zip(ports[2:], ports[:2], strict=True)]
    inspector = Part("inspector", str(folder / "log"), str(trigger_port), *near)
    parts = {
        "inspector": inspector,
        "bridge": Part("far", "bridge", str(folder), *far),
        "watcher": Part("far", "watcher", str(folder), *far),
    }
    progress = folder / "progress"
    assert any(isinstance(message, Heartbeat) for message in live(near[0])), "it did not start"
    line = Part("line", str(trigger_port), str(rate), str(triggers), str(progress))
    counts: dict[str, int] = {}
    try:
        assert await_trigger(folder, 1, SETTLE_S), (
            "it did not judge"
        )  # an empty log cannot know what it missed
        pause = max(0.0, triggers / rate / (blows + 1) - 0.5)
        for _ in track(range(blows), "disturbing", disable=not sys.stderr.isatty()):
            done = disturb(chance, parts, proxies)
            counts[done] = counts.get(done, 0) + 1
            time.sleep(chance.uniform(0, 2 * pause))
        while not line.finished():
            time.sleep(0.2)
        last_trigger(trigger_port, triggers + 1, folder)
        for name in ("bridge", "watcher"):
            check(folder / f"{name}.db", triggers + 1, least_judged)
    finally:
        for part in [*parts.values(), line]:
            part.end()
        for proxy in proxies:
            proxy.close()
    return counts


def last_trigger(port: int, trigger_id: int, folder: Path) -> None:
    """Send one more trigger until it has an event, so that all lost before it are reported."""
    end = time.monotonic() + SETTLE_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        while time.monotonic() < end:
            out.sendto(str(trigger_id).encode(), ("127.0.0.1", port))
            if await_trigger(folder, trigger_id, 15):  # not again before it can have been judged
                return
    raise AssertionError("the inspector has not come back")


def await_trigger(folder: Path, trigger_id: int, seconds: float) -> bool:
    """Whether the inspector's log has that trigger or a later one, within a time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with sqlite3.connect(folder / "log" / "events.db") as log:
            if (log.execute("SELECT max(trigger_id) FROM events").fetchone()[0] or 0) >= trigger_id:
                return True
        time.sleep(0.1)
    return False


def applied(path: Path) -> list[tuple[int, int | None, str | None]]:
    """Number, trigger and verdict of each event, in the order in which they were stored."""
    with sqlite3.connect(path) as database:
        query = "SELECT seq, trigger_id, verdict FROM applied ORDER BY rowid"
        return database.execute(query).fetchall()


def check(path: Path, triggers: int, least_judged: float) -> None:
    """Every trigger has exactly one event, in order, and no number is missing or came twice."""
    end = time.monotonic() + SETTLE_S
    while (found := applied(path))[-1:] == [] or (found[-1][1] or 0) < triggers:
        assert time.monotonic() < end, f"{path.stem}: only up to {found[-1:]}"
        time.sleep(0.2)
    seqs = [seq for seq, _, _ in found]
    assert seqs == list(range(1, len(seqs) + 1)), f"{path.stem}: numbers are missing or twice"
    parts = [(trigger_id, verdict) for _, trigger_id, verdict in found if trigger_id is not None]
    ids = [trigger_id for trigger_id, _ in parts]
    assert ids == list(range(1, triggers + 1)), f"{path.stem}: triggers are missing or twice"
    judged = [(i, verdict) for i, verdict in parts if verdict != "NO_VERDICT"]
    assert all(verdict == ("NG" if i % 10 == 0 else "OK") for i, verdict in judged), path.stem
    assert len(judged) > least_judged * triggers, f"{path.stem}: {len(judged)} verdicts"


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in ROLES:
        ROLES[sys.argv[1]](*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blows", type=int, default=200)
    parser.add_argument("--triggers", type=int, default=50_000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        counts = storm(Path(folder), options.blows, options.triggers, options.rate, options.seed)
        codes = applied_codes(Path(folder) / "bridge.db")
    print(json.dumps({"triggers": options.triggers, "blows": counts, "codes": codes}, indent=2))


def applied_codes(path: Path) -> dict[str, int]:
    """How often each code came, `none` with a verdict."""
    with sqlite3.connect(path) as far:
        query = "SELECT code, count(*) FROM applied WHERE code IS NOT NULL GROUP BY code"
        return dict(far.execute(query).fetchall())


if __name__ == "__main__":
    main()
