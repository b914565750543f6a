"""Chaos: each trigger has exactly one event at the subscribers, whatever is killed and when.

`python -m tests.measure.chaos --blows 200 --triggers 50000` starts a line (a process whose trigger
counter never restarts), an inspector with the real loop, log and sockets around a stub of an
engine, a bridge that acknowledges, and a watcher; between them a proxy. Then it disturbs them at
random: kill -9, SIGSTOP for a while, cut, delayed and half-closed connections.
"""

import argparse
import json
import random
import socket
import sqlite3
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.progress import track

from edge.events.event import Heartbeat
from edge.events.receiver import live
from tests.measure.chaos_processes import Part
from tests.support.ports import free_ports
from tests.support.proxy import Proxy

SETTLE_S = 60.0


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
