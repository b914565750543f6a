"""One part, four views: no part passes with a view missing or NG, whatever is killed and when.

`python -m tests.measure.combine --blows 50 --parts 20000` runs four stations (the real loop, log
and sockets around a stub of an engine) and `draem combine`, with a proxy between each two. After
the first tenth of the parts, views and combine are killed or frozen and connections cut at random.
A watcher measures what joining adds: from the last view's event of a part to the joined one, both
as a subscriber receives them; for the undisturbed first tenth, and for all parts that are OK.
"""

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import numpy as np
import zmq
from rich.progress import track

from edge.events.event import AnyHeader, Inspection
from tests.support.combine.combine_process import CombineProcess
from tests.support.combine.view_process import BAD, GOOD, MISSED, ViewProcess
from tests.support.event_log import logged
from tests.support.ports import free_ports
from tests.support.proxy import Proxy
from tests.support.restarted import Restarted
from tests.support.waiting import wait_until

NAMES = ("top", "side", "left", "right")
DEADLINE_MS = 500
BAD_SHARE, MISSED_SHARE = 0.03, 0.01  # of each view's parts
ME = "tests.measure.combine"

Grays = tuple[int, ...]


class Line:
    """Sends each part to every view's camera; `truth` is what the cameras see of it."""

    def __init__(self, views: Sequence[ViewProcess], rate: float, parts: int, seed: int) -> None:
        chance = random.Random(seed)
        weights = (1 - BAD_SHARE - MISSED_SHARE, BAD_SHARE, MISSED_SHARE)
        self.truth: dict[int, Grays] = {
            number: tuple(chance.choices((GOOD, BAD, MISSED), weights, k=len(views)))
            for number in range(1, parts + 1)
        }
        self.sent, self._views, self._rate = 0, views, rate
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        for number, grays in self.truth.items():
            self.send(number, grays)
            self.sent = number
            due += 1 / self._rate
            time.sleep(max(0.0, due - time.monotonic()))

    def send(self, number: int, grays: Grays) -> None:
        """One part under all cameras at once."""
        now = time.monotonic_ns()
        for view, gray in zip(self._views, grays, strict=True):
            view.see(number, gray, now)

    def end(self) -> None:
        """Parts that all views see, until each has reported what it missed before."""
        self._thread.join()
        number = len(self.truth)
        while not all(view.last_trigger() >= number for view in self._views):
            number += 1
            self.truth[number] = (GOOD,) * len(self._views)
            self.send(number, self.truth[number])
            time.sleep(2)


def storm(folder: Path, blows: int, parts: int, rate: float, seed: int) -> dict[str, object]:
    """Run it all; the figures. Raises AssertionError where a part passes that must not."""
    chance, counts = random.Random(seed), Counter[str]()
    with ExitStack() as opened:
        views = [opened.enter_context(ViewProcess(name, folder)) for name in NAMES]
        proxies: list[Proxy] = []
        addresses: dict[str, str] = {}
        for view in views:
            far = free_ports(2)
            for listen, to in zip(far, view.ports, strict=False):
                proxies.append(opened.enter_context(Proxy(listen, to)))
            addresses[view.name] = ",".join(f"tcp://127.0.0.1:{port}" for port in far)
        combine = opened.enter_context(
            CombineProcess(folder, addresses, "--deadline", f"{DEADLINE_MS}ms")
        )
        combine.wait_until_running()
        endpoints = [combine.endpoint, *(view.endpoint for view in views)]
        watcher = opened.enter_context(Restarted(ME, "watch", str(folder / "times"), *endpoints))
        wait_until((folder / "times.ready").exists, "the watcher listens")
        line = Line(views, rate, parts, seed)
        calm = parts // 10 if blows else parts
        wait_until(lambda: line.sent >= calm, "the calm tenth", 3600)
        pause = (parts - calm) / rate / (blows + 1)
        for _ in track(range(blows), "disturbing", disable=not sys.stderr.isatty()):
            time.sleep(chance.uniform(0, 2 * max(0.0, pause - 0.5)))
            counts[disturb(chance, [combine, *views], proxies)] += 1
        line.end()
        sent = {h.trigger_id for view in views for h in of_parts(logged(view.folder))}
        wait_until(lambda: sent <= {h.trigger_id for h in combine.parts()}, "all verdicts", 120)
        watcher.close()
        of_views = {view.name: of_parts(logged(view.folder)) for view in views}
        found = check(combine.events(), of_views, line.truth)
    times = json.loads((folder / "times").read_text())
    return found | {"disturbances": dict(counts)} | delays(times, combine.parts(), calm)


def disturb(chance: random.Random, processes: Sequence[Restarted], proxies: list[Proxy]) -> str:
    """Kill or freeze a process, or cut a connection; returns what was done."""
    name, how = "connection", chance.choice(["cut", "half_close", "delay"])
    struck = chance.choice([*processes, None])
    if struck is None:
        proxy = chance.choice(proxies)
        {"cut": proxy.cut, "half_close": proxy.half_close, "delay": proxy.delay}[how]()
        return f"{name} {how}"
    name = getattr(struck, "name", "combine")
    if chance.random() < 0.6:
        struck.kill()
        time.sleep(chance.uniform(0, 0.5))
        struck.start()
        return f"{name} killed"
    struck.freeze(chance.uniform(0.2, 1.5))
    return f"{name} frozen"


def of_parts(headers: Sequence[AnyHeader]) -> list[Inspection]:
    """The inspections among events."""
    return [header for header in headers if isinstance(header, Inspection)]


def check(
    joined: Sequence[AnyHeader], of_views: dict[str, list[Inspection]], truth: dict[int, Grays]
) -> dict[str, object]:
    """What passed is good in every view's picture and log; each part has one verdict, in order."""
    assert [header.seq for header in joined] == list(range(1, len(joined) + 1)), "a gap"
    parts = of_parts(joined)
    ids = [part.trigger_id for part in parts]
    often = {number for number, count in Counter(ids).items() if count > 1}
    twice = [part.model_dump_json() for part in parts if part.trigger_id in often]
    assert not twice, f"parts with two verdicts: {twice[:4]}"
    events = {(e.stream_id, e.seq): e for of_view in of_views.values() for e in of_view}
    for part in parts:
        assert part.trigger_id is not None
        assert part.views is not None
        if part.verdict == "OK":
            assert set(truth[part.trigger_id]) == {GOOD}, f"part {part.trigger_id} has passed"
            found = [events[view.stream_id, view.seq] for view in part.views]
            assert [event.station for event in found] == list(NAMES)
            assert {(e.trigger_id, e.verdict) for e in found} == {(part.trigger_id, "OK")}
    good = [number for number, grays in truth.items() if set(grays) == {GOOD}]
    return {
        "parts": len(truth),
        "of them good in all views": len(good),
        "passed": sum(part.verdict == "OK" for part in parts),
        "verdicts": dict(Counter(f"{part.verdict} {part.code.name}" for part in parts)),
    }


def delays(
    times: dict[str, dict[str, int]], parts: Sequence[Inspection], calm: int
) -> dict[str, object]:
    """Milliseconds from a part's last view to its joined event, at a subscriber."""
    joined, *of_views = times.values()
    ok = {str(part.trigger_id): part for part in parts if part.verdict == "OK"}
    added = {
        int(number): (joined[number] - max(of_view[number] for of_view in of_views)) / 1e6
        for number in ok
        if number in joined and all(number in of_view for of_view in of_views)
    }
    undisturbed = [ms for number, ms in added.items() if number <= calm]
    return {
        name: {f"p{q}": round(float(np.percentile(values, q)), 2) for q in (50, 99)}
        | {"parts": len(values)}
        for name, values in (("undisturbed", undisturbed), ("all OK", list(added.values())))
        if values
    }


def watch(path: Path, endpoints: Sequence[str]) -> None:
    """Note when each part's event comes from each endpoint, until SIGTERM."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    times: dict[str, dict[str, int]] = {endpoint: {} for endpoint in endpoints}
    poller, sockets = zmq.Poller(), {}
    with zmq.Context() as context, ExitStack() as opened:
        for endpoint in endpoints:
            socket = opened.enter_context(context.socket(zmq.SUB))
            socket.set(zmq.LINGER, 0)
            socket.connect(endpoint)
            socket.subscribe(b"")
            poller.register(socket, zmq.POLLIN)
            sockets[socket] = times[endpoint]
        heard: set[zmq.Socket[bytes]] = set()
        while not stop.is_set():
            for socket, _ in poller.poll(100):
                parts, now = socket.recv_multipart(), time.monotonic_ns()
                heard.add(socket)
                if parts[0] == b"inspection":
                    sockets[socket].setdefault(str(json.loads(parts[1])["trigger_id"]), now)
            if len(heard) == len(endpoints):
                path.with_name(f"{path.name}.ready").touch()
    path.write_text(json.dumps(times))


def main() -> None:
    if sys.argv[1:2] == ["watch"]:
        return watch(Path(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blows", type=int, default=50)
    parser.add_argument("--parts", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = storm(Path(folder), options.blows, options.parts, options.rate, options.seed)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
