"""`draem combine` between real stations and a real Modbus bridge, each in a process of its own."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.bridge.modbus import Bridge, valid
from tests.support.combine.combine_process import CombineProcess
from tests.support.combine.view_process import BAD, GOOD, MISSED, ViewProcess
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

NAMES = ("top", "side", "end")


class Plant:
    """Three views and their combine."""

    def __init__(self, folder: Path, opened: ExitStack, *words: str) -> None:
        self.views = [opened.enter_context(ViewProcess(name, folder)) for name in NAMES]
        addresses = {view.name: view.endpoint for view in self.views}
        self.combine = opened.enter_context(CombineProcess(folder, addresses, *words))
        self.combine.wait_until_running()

    def part(self, trigger_id: int, *grays: int) -> None:
        """A part that every view sees, good unless `grays` say otherwise."""
        for view, gray in zip(self.views, grays or (GOOD,) * 3, strict=True):
            view.see(trigger_id, gray, part_id=f"part-{trigger_id}")


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes all processes."""
    with ExitStack() as stack:
        yield stack


def test_combine_lets_a_plc_pass_only_what_all_views_pass(
    tmp_path: Path, opened: ExitStack
) -> None:
    plant = Plant(tmp_path, opened, "--deadline", "3s", "--by", "part-id")
    bridge = Bridge(plant.combine.endpoint, "--deadline-ms", "60000")
    opened.callback(bridge.close)
    bridge.plc.until(lambda found: found["trouble"] == 0)
    read: dict[int, int] = {}
    for trigger_id, grays in enumerate(
        [(GOOD, GOOD, GOOD), (GOOD, BAD, GOOD), (GOOD, GOOD, MISSED), (GOOD, GOOD, GOOD)], start=1
    ):
        plant.part(trigger_id, *grays)
        if plant.combine.wait_for(trigger_id)[0].verdict == "NO_VERDICT":
            bridge.plc.until(lambda found: found["trouble"] == 5)
            continue
        due = bridge.plc.until(partial(shows, trigger_id))
        read[trigger_id] = due["verdict"]
        assert due["version"] == 1
    assert read == {1: 1, 2: 2, 4: 1}
    good, bad, missed, _ = plant.combine.wait_for(1, 2, 3, 4)
    assert (good.verdict, good.part_id, good.encoder) == ("OK", "part-1", 10)
    assert [view.verdict for view in good.views or []] == ["OK"] * 3
    assert (bad.view, len(bad.regions), bad.mask is not None) == ("side", 1, True)
    assert (missed.code.name, missed.views and missed.views[2].name) == ("view_missing", "end")
    assert missed.views is not None
    assert missed.views[2].verdict is None


def shows(trigger_id: int, found: dict[str, int]) -> bool:
    """Whether a PLC reads a valid result of that part."""
    return valid(found) and found["trigger_id"] == trigger_id


def test_combine_decides_each_part_once_though_it_is_killed(
    tmp_path: Path, opened: ExitStack
) -> None:
    """The events of an undecided part are sent again to the next process."""
    plant = Plant(tmp_path, opened, "--deadline", "55s")
    plant.part(1)
    plant.combine.wait_for(1)
    now = time.monotonic_ns()
    for trigger_id, age_s in ((2, 0), (3, 54)):
        for view in plant.views[:2]:
            view.see(trigger_id, GOOD, now - age_s * 10**9)
    wait_until(lambda: plant.views[1].last_trigger() == 3, "two views have sent")
    plant.combine.kill()
    plant.views[2].see(2, GOOD)
    plant.combine.start()
    found = plant.combine.wait_for(2, 3)
    assert {part.trigger_id: (part.verdict, part.code.name) for part in found} == {
        2: ("OK", "none"), 3: ("NO_VERDICT", "view_missing")
    }  # fmt: skip
    plant.part(4)
    plant.combine.wait_for(4)
    assert sorted(part.trigger_id or 0 for part in plant.combine.parts()) == [1, 2, 3, 4]


def test_combine_names_a_view_that_is_down_and_one_that_is_paused(
    tmp_path: Path, opened: ExitStack
) -> None:
    plant = Plant(tmp_path, opened, "--deadline", "2s")
    side = plant.views[1]
    side.kill()
    plant.combine.wait_until_running("fault")
    assert "view side is silent" in plant.combine.health().outage
    plant.part(1)
    missing = plant.combine.wait_for(1)[0]
    assert (missing.verdict, missing.code.name) == ("NO_VERDICT", "view_missing")
    side.start()
    plant.combine.wait_until_running()
    texts = plant.combine.faults()
    assert any("view side is silent" in text for text in texts)
    assert texts[-1] == "all views give verdicts again"
    plant.part(2)
    assert plant.combine.wait_for(2)[0].verdict == "OK"
    side.ask("pause")
    plant.combine.wait_until_running("paused")
    plant.part(3)
    paused = plant.combine.wait_for(3)[0]
    assert (paused.verdict, paused.code.name) == ("NO_VERDICT", "view_no_verdict")
    assert paused.views is not None
    assert paused.views[1].code.name == "paused"
    states = [event.state for event in plant.combine.events() if event.kind == "status"]
    assert states == ["running", "paused"]
    side.ask("resume")
    plant.combine.wait_until_running()


def test_combine_counts_a_view_that_comes_after_the_verdict(
    tmp_path: Path, opened: ExitStack
) -> None:
    plant = Plant(tmp_path, opened, "--deadline", "500ms")
    now = time.monotonic_ns()
    for view in plant.views[:2]:
        view.see(1, GOOD, now)
    assert plant.combine.wait_for(1)[0].code.name == "view_missing"
    plant.views[2].see(1, BAD, now)
    wait_until(lambda: plant.combine.counters().views["late"] == 1, "it is counted")
    assert len(plant.combine.parts()) == 1
    reply = plant.combine.ask("pause")
    assert b"send it to each view's own control socket" in reply


def test_combine_refuses_two_views_that_are_one_station(tmp_path: Path, opened: ExitStack) -> None:
    view = opened.enter_context(ViewProcess("top", tmp_path))
    again = view.endpoint.replace("127.0.0.1", "localhost")
    command = [
        *(sys.executable, "-m", "draem", "combine", "--data", str(tmp_path)),
        *("--endpoint", f"tcp://127.0.0.1:{free_ports(3)[0]}"),
        *("--view", f"top={view.endpoint}", "--view", f"side={again}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert re.search("draem: views (top and side|side and top) are one station", done.stderr)
