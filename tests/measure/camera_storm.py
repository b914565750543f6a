"""Failures of a GigE Vision camera, many times over, and the cost of capture.

Run by './just camera-storm [kills] [triggers] [loss] [stop] [stale] [latency] [soak MINUTES]'. The
camera is Aravis's simulated one on loopback; the station is whole but for its engine, which takes
the mean. Prints figures, and ends with 1 where one is out of bounds. With other work on the machine
`latency` measures how long threads wait for a core: `chrt -r 1` gives it priority.
"""

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.camera.frame_ids import WRAP_16
from edge.camera.trigger_matching import Trigger
from tests.measure.camera_latency import latency
from tests.measure.soak import resident_mb
from tests.support.cameras import CameraStation, FakeGige, wait_for
from tests.support.ports import free_ports
from tests.support.video_servers import mjpeg

KILLS, STOPS, SPACING_S = 50, 10, 0.2
TRIGGERS = 12 * KILLS
BACK_S, REPORTED_S = 3.0, 1.0


def spread(values: list[float]) -> str:
    """Median and highest."""
    return f"median {np.median(values):.2f} s, highest {max(values):.2f} s of {len(values)}"


def kills(folder: Path) -> bool:
    """Killed and started again, while down for up to two seconds."""
    chance = random.Random(1)
    reported: list[float] = []
    back: list[float] = []
    held: list[list[int]] = []
    with FakeGige() as gige:
        station = CameraStation(folder, gige.source(frame_rate=30))
        for _ in range(KILLS):
            held.append([len(os.listdir(f"/proc/self/{name}")) for name in ("task", "fd")])
            faults, judged = len(station.faults()), station.verdicts()
            wait_for(lambda j=judged: station.verdicts() > j + 5)  # type: ignore[misc]
            time.sleep(chance.random())
            gige.kill()
            reported.append(wait_for(lambda f=faults: len(station.faults()) > f, 5))  # type: ignore[misc]
            time.sleep(2 * chance.random())
            judged = station.verdicts()
            gige.restart()
            back.append(wait_for(lambda j=judged: station.verdicts() > j, 20))  # type: ignore[misc]
        station.close()
    names = station.fault_names()
    bounded = names == ["camera_lost", "camera_back"] * KILLS
    # An old connection may take some seconds to close, so a few are open at a time.
    leaks = any(min(late) > max(early) for early, late in zip(*_halves(held), strict=True))
    print(
        f"kills: reported {spread(reported)}; verdicts again {spread(back)}; "
        f"each outage between two faults: {bounded}, {dict(Counter(names))}; "
        f"{station.controls.camera}; threads and files from {held[0]} to {held[-1]}"
    )
    in_time = max(reported) < REPORTED_S and max(back) < BACK_S
    return bounded and in_time and not leaks and station.error is None


def _halves(held: list[list[int]]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Threads, and files, of the first half and of the second."""
    half = len(held) // 2
    return [*zip(*held[:half], strict=True)], [*zip(*held[half:], strict=True)]


def triggers(folder: Path) -> bool:
    """Software triggers five a second while the camera is killed 50 times: each has one event.

    A picture belongs to its trigger if the camera's own clock, which nothing here decides by, says
    that it was taken after it and before the next one.
    """
    chance, sent_ns = random.Random(2), dict[int, int]()
    with FakeGige() as gige:
        source = gige.source(trigger="software", trigger_deadline_ms=400)
        station = CameraStation(folder, source, triggered=True)
        camera = station.reconnecting
        for number in range(1, TRIGGERS + 1):
            sent_ns[number] = time.time_ns()  # the simulated camera's clock, too
            camera.trigger(Trigger(number))
            if number % 12 == 5:
                time.sleep(chance.random() / 10)
                gige.kill()
            if number % 12 == 7:
                gige.restart()
            time.sleep(SPACING_S)
        time.sleep(1)
        station.close()
    ended = [i for i in station.inspections() if i.trigger_id is not None]
    in_order = [i.trigger_id for i in ended] == list(range(1, TRIGGERS + 1))
    judged = [i for i in ended if i.verdict != "NO_VERDICT"]
    ages = [((i.camera_ns or 0) - sent_ns[i.trigger_id or 0]) / 1e6 for i in judged]
    right = all(0 <= age < 1000 * SPACING_S for age in ages)
    codes = Counter(i.code.name for i in station.inspections())
    print(
        f"triggers: {TRIGGERS} sent, each with one event and in order: {in_order}; "
        f"codes {dict(codes)}; taken {min(ages):.0f} to {max(ages):.0f} ms after their trigger, by "
        f"the camera's clock"
    )
    return in_order and right and len(judged) > TRIGGERS / 3


def loss(folder: Path) -> bool:
    """Packets lost: every incomplete frame without a verdict, every whole one judged."""
    good = True
    for rate in (0.5, 20):
        with FakeGige(rate) as gige:
            station = CameraStation(folder / str(rate), gige.source(frame_rate=30))
            time.sleep(30)
            station.close()
        found = [i for i in station.inspections() if i.code.name != "stopped"]
        codes = Counter(i.code.name for i in found)
        wrong = [
            i for i in found if (i.verdict == "NO_VERDICT") is not (i.code.name == "incomplete")
        ]
        print(
            f"loss {rate} in 1000: {dict(codes)}, judged wrongly {len(wrong)}, passed over "
            f"{station.controls.passed_over}; {dict(station.controls.camera)}"
        )
        counted = station.controls.camera
        whole = counted["received"] - counted["incomplete"] == codes["none"]
        good &= not wrong and codes["incomplete"] > 0 and whole
    return good


def stop(folder: Path) -> bool:
    """SIGSTOP: how soon it is reported, and how soon verdicts come after SIGCONT."""
    reported: list[float] = []
    back: list[float] = []
    with FakeGige() as gige:
        station = CameraStation(folder, gige.source(frame_rate=30))
        for _ in range(STOPS):
            faults, judged = len(station.faults()), station.verdicts()
            wait_for(lambda j=judged: station.verdicts() > j + 20)  # type: ignore[misc]
            gige.freeze()
            reported.append(wait_for(lambda f=faults: len(station.faults()) > f, 5))  # type: ignore[misc]
            time.sleep(4)
            judged = station.verdicts()
            gige.thaw()
            back.append(wait_for(lambda j=judged: station.verdicts() > j, 20))  # type: ignore[misc]
        station.close()
    print(f"stop: reported {spread(reported)}; verdicts again {spread(back)}")
    return max(reported) < REPORTED_S and max(back) < BACK_S


def stale(folder: Path) -> bool:
    """A server that repeats one picture: how many are judged before it is detected."""
    (port,) = free_ports(1)
    with mjpeg(port, "color=gray:size=640x480:rate=25"):
        time.sleep(1)
        station = CameraStation(folder, f"http://127.0.0.1:{port}/video")
        wait_for(lambda: len(station.inspections()) > 10)
        station.close()
    codes = [i.code.name for i in station.inspections()]
    print(f"stale: the codes of the first frames are {codes[:5]}")
    return codes[1] == "stale"


def soak(folder: Path, minutes: float = 30) -> bool:
    """Thirty frames a second: memory, threads and files do not grow, and all ids are counted."""
    with FakeGige() as gige:
        station = CameraStation(folder, gige.source(frame_rate=30), keep_mb=2000)
        start = time.monotonic()
        seen: list[tuple[float, int, int]] = []
        while (passed := time.monotonic() - start) < 60 * minutes:
            time.sleep(10)
            tasks, files = (len(os.listdir(f"/proc/self/{name}")) for name in ("task", "fd"))
            seen.append((resident_mb(os.getpid()), tasks, files))
            if len(seen) % 6 == 0:
                print(
                    f"  {passed / 60:5.1f} min {seen[-1]} {dict(station.controls.camera)}",
                    flush=True,
                )
        station.close()
    warm = seen[min(6, len(seen) - 1) :]
    growth = max(m for m, _, _ in warm) - warm[0][0]
    found = station.inspections()
    first, last = found[0].frame_id, found[-1].frame_id
    counted = station.controls.camera
    received = len(found) + station.controls.passed_over
    sent = (last - first) % WRAP_16 + 1
    steady = len({t for _, t, _ in warm}) == 1 and len({f for _, _, f in warm}) == 1
    print(
        f"soak {minutes:.0f} min: grew {growth:.1f} MB after the first minute, threads "
        f"{sorted({t for _, t, _ in warm})}, files {sorted({f for _, _, f in warm})}; by id sent "
        f"{sent} (modulo {WRAP_16}), received {received} + lost {counted['lost']}; faults "
        f"{station.fault_names()}; {dict(counted)}"
    )
    return growth < 10 and steady and (received + counted["lost"] - sent) % WRAP_16 == 0


def main(words: list[str]) -> int:
    parts: dict[str, Callable[[Path], bool]] = {
        "kills": kills, "triggers": triggers, "loss": loss, "stop": stop, "stale": stale,
        "latency": latency,
    }  # fmt: skip
    minutes = float(words[words.index("soak") + 1]) if "soak" in words else 30.0
    parts["soak"] = lambda folder: soak(folder, minutes)
    good = True
    for name in [word for word in words if word in parts] or list(parts):
        with tempfile.TemporaryDirectory() as folder:
            passed = parts[name](Path(folder))
        print(f"{name}: {'passed' if passed else 'FAILED'}", flush=True)
        good &= passed
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
