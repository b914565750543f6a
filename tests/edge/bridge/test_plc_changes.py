"""The PLC changes the product: numbers, the command and its answer, and what goes wrong."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.base.errors import SettingsError
from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.line_requests import Failure
from edge.bridge.plc_commands import CHANGE, CommandAnswer, PlcCommand
from edge.bridge.plc_trigger import PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.opcua_model import result_of
from edge.bridge.protocols.registers import nothing_written, values_of
from edge.bridge.signals import COUNTED, Signals, Trouble
from edge.bridge.simulated_line import SimulatedLine, simulated
from edge.events.access_list import AllowedClient, write_allowed
from edge.events.cursors import Role
from edge.events.keys import make_pair, read_public
from edge.station.settings import load_settings
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.changing_line import RECIPES, Loader, changing_line
from tests.support.bridge.events import inspection
from tests.support.bridge.modbus import Bridge, valid
from tests.support.running_station import Running

Line = tuple[Running, Loader]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with changing_line(tmp_path) as made:
        yield made


@pytest.fixture
def bridge(line: Line) -> Iterator[Bridge]:
    made = Bridge(line[0].endpoint, *RECIPES)
    yield made
    made.close()


def state(found: dict[str, int]) -> tuple[int, ...]:
    """Acknowledged, failed, under way, which runs."""
    names = ("command_ack", "command_failed", "product_changing", "product_running")
    return tuple(found[name] for name in names)


def at_rest(bridge: Bridge) -> dict[str, int]:
    return bridge.plc.until(lambda v: valid(v) and v["product_running"] == 1)


def test_a_plc_changes_the_product_and_verdicts_never_wait(line: Line, bridge: Bridge) -> None:
    assert state(at_rest(bridge)) == (0, 0, 0, 1)
    bridge.plc.until(lambda v: v["product_changing"], command=3, product=2)
    seen: set[int] = set()

    def offered(found: dict[str, int]) -> bool:
        assert state(found) == (0, 0, 1, 1)
        if valid(found):
            assert found["product"] == 1, "a part of the old product"
            seen.add(found["inspection_id"])
        return len(seen) > 20

    bridge.plc.until(offered, command=3, product=2)
    line[1].go.set()
    done = bridge.plc.until(lambda v: v["command_ack"], command=3, product=2)
    assert state(done) == (3, 0, 0, 2), "acknowledged when the events tell the new product"
    bridge.plc.until(lambda v: valid(v) and v["product"] == 2, command=3, product=2)
    for _ in range(20):  # the PLC goes on writing it, even with another number
        bridge.plc.write(command=3, product=1)
    assert state(bridge.plc.read()) == (3, 0, 0, 2)
    assert line[1].asked == ["twin"], "once"
    bridge.plc.write()
    assert state(bridge.plc.read()) == (0, 0, 0, 2)
    assert "the line judges twin" in bridge.close()


def test_a_command_that_fails_says_why_and_the_old_product_goes_on(
    line: Line, bridge: Bridge
) -> None:
    at_rest(bridge)
    line[1].go.set()
    for command, product, failure in (
        (3, 9, Failure.UNKNOWN), (3, 0, Failure.UNKNOWN), (3, 3, Failure.REFUSED),
        (99, 2, Failure.NO_COMMAND),
    ):  # fmt: skip
        found = bridge.plc.until(lambda v: v["command_failed"], command=command, product=product)
        assert state(found) == (0, failure, 0, 1)
        bridge.plc.until(lambda v: not v["command_failed"] and valid(v))
    said = bridge.close()
    assert "the line still judges lid: no such engine: run 'draem build --product bad'" in said
    assert "9' has no number here: add --recipe NUMBER=NAME" in said
    assert "Traceback" not in said


def test_one_change_at_a_time_whoever_began_it(line: Line, bridge: Bridge) -> None:
    at_rest(bridge)
    bridge.plc.until(lambda v: v["product_changing"], command=3, product=2)
    bridge.plc.write()
    other = bridge.plc.until(lambda v: v["command_failed"], command=3, product=1)
    assert state(other) == (0, Failure.BUSY, 1, 1), "and the first goes on"
    bridge.plc.write()
    bridge.plc.write(command=3, product=2)
    assert state(bridge.plc.read()) == (0, 0, 1, 1), "the same once more is the same change"
    line[1].go.set()
    bridge.plc.until(lambda v: v["command_ack"] == 3, command=3, product=2)
    assert line[1].asked == ["twin"]
    line[1].go.clear()
    assert line[0].controls.changeover is not None
    line[0].controls.changeover.begin("cap", None)  # somebody at a keyboard
    bridge.plc.write()
    found = bridge.plc.until(lambda v: v["command_failed"], command=3, product=1)
    assert state(found) == (0, Failure.BUSY, 0, 2)
    line[1].go.set()
    nameless = bridge.plc.until(lambda v: valid(v) and v["product_running"] == 0)
    nameless = bridge.plc.until(lambda v: valid(v) and v["product"] == 0)
    assert nameless["verdict"] in (1, 2), "a product without a number is judged, and told as 0"


def test_a_bridge_that_is_killed_in_the_middle_takes_up_the_change(line: Line) -> None:
    first = Bridge(line[0].endpoint, *RECIPES)
    at_rest(first)
    first.plc.until(lambda v: v["product_changing"], command=3, product=2)
    wait(lambda: line[1].asked)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    again = Bridge(line[0].endpoint, *RECIPES)
    found = again.plc.until(lambda v: v["product_changing"], command=3, product=2)
    assert not found["command_ack"]
    line[1].go.set()
    again.plc.until(lambda v: v["command_ack"] == 3, command=3, product=2)
    assert line[1].asked == ["twin"]
    again.close()
    first.close()


def test_a_command_that_was_there_before_the_bridge_changes_nothing(line: Line) -> None:
    """The line has been switched by hand since; the PLC never took its old command back."""
    line[1].go.set()
    bridge = Bridge(line[0].endpoint, *RECIPES)
    bridge.plc.write(command=3, product=2)
    found = bridge.plc.until(lambda v: v["command_failed"], command=3, product=2)
    assert found["command_failed"] == Failure.STALE
    assert line[1].asked == []
    bridge.plc.write()
    bridge.plc.until(lambda v: v["command_ack"], command=3, product=2)
    bridge.plc.write()
    bridge.plc.until(lambda v: v["command_ack"], command=3, product=2)
    assert line[1].asked == ["twin"], "it runs already"
    assert "write 0, then the command again" in bridge.close()


def test_plc_hears_of_a_line_that_does_not_answer(line: Line) -> None:
    """Nobody is at the control address; verdicts come all the same."""
    bridge = Bridge(line[0].endpoint, *RECIPES, "--control", "tcp://127.0.0.1:9")
    at_rest(bridge)
    start = time.monotonic()
    newest = bridge.plc.until(lambda v: v["product_changing"], command=3, product=2)
    while not (found := bridge.plc.until(valid, 1, command=3, product=2))["command_failed"]:
        newest = found
        assert time.monotonic() - start < 10
    assert state(found) == (0, Failure.NO_ANSWER, 0, 1)
    assert found["inspection_id"] - newest["inspection_id"] < 25, "verdicts never waited"
    assert "is the line running, and may this key change the product?" in bridge.close()


def test_a_line_that_dies_in_the_middle_is_told(line: Line, bridge: Bridge) -> None:
    at_rest(bridge)
    bridge.plc.until(lambda v: v["product_changing"], command=3, product=2)
    line[0].close()
    silent = bridge.plc.until(lambda v: v["trouble"] == Trouble.LINE_SILENT, command=3, product=2)
    assert state(silent) == (0, 0, 1, 0), "nobody knows which product runs"
    again = Running(Path(line[0].settings.data), endpoint=line[0].endpoint)  # it judges lid
    with closing(again):
        found = bridge.plc.until(lambda v: v["command_failed"], 20, command=3, product=2)
        assert state(found)[1] == Failure.REFUSED
        bridge.plc.until(lambda v: valid(v) and v["product_running"] == 1)
    assert "still judges lid: it was started again" in bridge.close()


def test_plc_changes_a_line_on_paper(tmp_path: Path) -> None:
    bridge = Bridge("tcp://127.0.0.1:9", "--simulate", "20", *RECIPES)
    begun = bridge.plc.until(valid)
    assert (begun["product"], begun["product_running"]) == (0, 0)
    bridge.plc.until(lambda v: v["product_changing"], command=3, product=2)
    bridge.plc.until(lambda v: v["command_ack"] == 3, command=3, product=2)
    bridge.plc.until(lambda v: valid(v) and v["product"] == v["product_running"] == 2)
    bridge.close()


def test_what_runs_is_of_the_newest_event_and_only_commands_begin_changes() -> None:
    paper = SimulatedLine(50)
    gate = Gate(Rules("free-running", 1.0, plc_silent_s=0))
    with (
        Feed(gate, simulated(paper)) as feed,
        ProductChanges({7: "cap"}, paper, feed.running) as changes,
        PlcTrigger(paper) as triggering,
    ):
        wait(lambda: feed.running() == "simulated" and feed._seq > 0)
        feed._runs("older", 0)
        assert feed.running() == "simulated"
        command = PlcCommand(changes, triggering)
        assert not command.answer().under_way
        command.set_command(0, 7)
        command.set_command(CHANGE, 7)
        seen = [command.answer()]
        while seen[-1].under_way:
            seen.append(command.answer())
        assert seen[-1].done, "under way until it is answered, never neither"
        command.set_command(1, 7)
        assert not command.answer().done


def test_plc_change_is_done_when_events_tell_it_and_not_before() -> None:
    paper, told = SimulatedLine(50), ["simulated"]
    with ProductChanges({7: "cap"}, paper, lambda: told[0], timeout_s=1) as changes:
        change = changes.begin(7)
        wait(lambda: paper.product == "cap")
        time.sleep(0.2)
        assert change.under_way, "the line has it, its events do not say so"
        told[0] = "cap"
        wait(lambda: change.outcome.state == "done")
        told[0] = ""
        change = changes.begin(7)
        wait(lambda: not change.under_way)
        assert change.outcome.failure == Failure.NO_ANSWER


def test_plc_result_has_the_number_of_its_own_product_and_not_of_what_runs() -> None:
    told = CommandAnswer({"lid": 1, "twin": 2}, under_way=True)
    counts = dict.fromkeys(COUNTED, 0)
    for product, number in (("lid", 1), ("twin", 2), ("box", 0)):
        for running, runs in (("lid", 1), ("twin", 2), ("box", 0), ("", 0)):
            result = inspection(5, product=product)
            signals = Signals(results_valid=True, result=result, running=running, counts=counts)
            values = values_of(signals, 1, 0, nothing_written(), told)
            assert (values["product"], values["product_running"]) == (number, runs)
            assert (values["inspection_id"], values["product_changing"]) == (5, 1)
        assert result_of(result, told.numbers)["ExternalRecipeId"] == str(number)
    nothing = values_of(Signals(running="twin", counts=counts), 1, 0, nothing_written(), told)
    assert (nothing["product"], nothing["product_running"]) == (0, 2)


def wait(due: object) -> None:
    assert callable(due)
    end = time.monotonic() + 5
    while not due():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_plc_numbers_are_settings_and_none_is_there_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistaken: Mistaken
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("station.toml").write_text('[recipes]\n1 = "lid"\n2 = "cap"\n')
    assert load_settings({}).recipes == {1: "lid", 2: "cap"}
    assert load_settings({"recipes": [("5", "box")]}).recipes == {5: "box"}, "in their place"
    for bad in ('1 = "lid"\n01 = "cap"', '1 = "lid"\n2 = "lid"', '0 = "lid"', '65536 = "lid"'):
        Path("station.toml").write_text(f"[recipes]\n{bad}\n")
        with pytest.raises(SettingsError, match="recipes"):
            load_settings({})
    Path("station.toml").unlink()
    for words, says in (
        (["--recipe", "1=lid", "--recipe", "1=cap"], "each number and each product may appear"),
        (["--recipe", "lid"], "write a number and a product's name, as 1=lid"),
        (["--control", "rubbish"], "correct --control"),
    ):
        assert says in mistaken("modbus", *words), words


def test_plc_changes_the_product_with_a_bridges_key_and_not_with_a_watchers(
    tmp_path: Path,
) -> None:
    keys = tmp_path / "keys"
    roles: dict[str, Role] = {"screen": "watch", "plc": "bridge"}
    for name in ("server", *roles):
        make_pair(keys, name)
    listed = {
        n: AllowedClient(role=r, key=read_public(keys / f"{n}.pub")) for n, r in roles.items()
    }
    write_allowed(keys, listed)
    with changing_line(tmp_path, keys=keys) as (station, loader):
        loader.go.set()
        for name in roles:
            shown = ("--key", str(keys / f"{name}.key"), "--server-key", str(keys / "server.pub"))
            bridge = Bridge(station.endpoint, *RECIPES, *shown)
            at_rest(bridge)
            answered = bridge.plc.until(
                lambda v: v["command_ack"] or v["command_failed"], command=3, product=2
            )
            watcher = name == "screen"
            assert state(answered) == ((0, 5, 0, 1) if watcher else (3, 0, 0, 2))
            assert ("the role watch may not request this" in bridge.close()) == watcher
    assert loader.asked == ["twin"]
