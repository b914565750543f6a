"""Which parts the gate rejected though they have a verdict: kept, bounded, and never in the way."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.bridge.gate import Gate, Rules
from edge.bridge.missed_results import MissedFile
from edge.bridge.signals import Inputs, Missed
from tests.support.bridge.events import inspection
from tests.support.bridge.modbus import Bridge, valid


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def until(due: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not due():
        assert time.monotonic() < end
        time.sleep(0.01)


def missed(number: int) -> Missed:
    return Missed(inspection(number, part_id=f"lid-{number}"), "expired", 1.5)


def test_the_gate_says_of_each_result_why_it_was_not_used() -> None:
    g = Gate(Rules("dequeue", 1.0, buffer=2, plc_silent_s=0))
    g.line("running")
    g.result(inspection(1), 1.2, now=0)
    g.result(inspection(2), 0.4, now=0)
    g.signals(0.7)
    for number in (3, 4, 5):
        g.result(inspection(number), 0.0, now=1)
    g.plc(Inputs(acknowledged=99), now=1)
    g.result(inspection(6), 0.1, now=1)
    found = [(one.inspection.inspection_id, one.why, round(one.age_s, 3)) for one in g.missed()]
    assert found == [
        (1, "expired", 1.2), (2, "not_taken", 1.1), (3, "overrun", 0.0), (4, "overrun", 0.0),
        (5, "overrun", 0.0), (6, "ack_ahead", 0.1),
    ]  # fmt: skip
    assert g.missed() == []
    assert g.counts["expired"] + g.counts["overruns"] == len(found), "each is counted too"


def test_what_is_held_back_by_the_plc_is_missed_in_free_running_too() -> None:
    g = Gate(Rules("free-running", 1.0, plc_silent_s=0))
    g.line("running")
    g.plc(Inputs(hold=True), now=0)
    g.result(inspection(1), 0, now=0)
    assert not g.signals(0.5).results_valid
    assert g.signals(1.5).counts["expired"] == 1
    assert [one.why for one in g.missed()] == ["not_taken"]


def test_plc_parts_that_expired_are_found_later_by_their_ids() -> None:
    bridge = Bridge(
        "tcp://127.0.0.1:9", "--simulate", "20", "--results", "dequeue", "--deadline-ms", "100"
    )
    expired = bridge.plc.until(lambda v: v["expired"] > 20)["expired"]
    path = bridge.data / "station-1-simulated" / f"missed-modbus-127.0.0.1-{bridge.port}.jsonl"
    until(lambda: len(lines(path)) >= expired)
    found = lines(path)
    numbers = [line["inspection_id"] for line in found]
    assert numbers == sorted(set(numbers)), "each once"
    for line in found:
        assert line["why"] == "not_taken"
        assert 100 <= line["age_ms"] < 1000
        assert line["encoder"] == 1000 * line["trigger_id"]
        assert line["part_id"] == f"part-{line['trigger_id']}"
        assert line["station"] == "simulated"
    assert bridge.plc.until(valid)
    bridge.close()


def test_the_file_is_bounded_and_holds_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "a" / "missed.jsonl"
    with MissedFile(path, file_bytes=2000) as file:
        for number in range(1, 101):
            file.add(missed(number))
    files = sorted(path.parent.iterdir())
    assert [one.name for one in files] == ["missed.jsonl", "missed.jsonl.1"]
    assert all(one.stat().st_size <= 2000 for one in files)
    kept = [line["inspection_id"] for one in reversed(files) for line in lines(one)]
    assert kept == list(range(kept[0], 101))
    assert lines(path)[-1]["part_id"] == "lid-100"


def test_a_line_cut_short_by_a_kill_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "missed.jsonl"
    path.write_text('{"at": "2026-01-01T0')
    with MissedFile(path) as file:
        file.add(missed(7))
    assert json.loads(path.read_text().splitlines()[1])["inspection_id"] == 7


def test_a_full_disk_costs_lines_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with MissedFile(Path("/dev/full")) as file:
        for number in (1, 2, 3):
            file.add(missed(number))
    assert file.lost == 3
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("missed parts cannot be written to /dev/full (No space left")
    assert said[1:] == ["3 missed parts are not in /dev/full"]


def test_a_disk_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    file = MissedFile(tmp_path / "missed.jsonl")
    file._file.acquire()  # as a write that does not come back
    for number in range(1, 1202):
        file.add(missed(number))
    assert file.lost >= 200
    file._file.release()
    file.close()
    file.close()  # does no harm
    assert len(lines(file.path)) + file.lost == 1201


def test_an_age_without_end_is_json_still(tmp_path: Path) -> None:
    with MissedFile(tmp_path / "m") as file:
        file.add(Missed(inspection(1), "expired", float("inf")))
    assert lines(tmp_path / "m")[0]["age_ms"] is None
