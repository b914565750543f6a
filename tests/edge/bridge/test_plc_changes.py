"""The PLC changes the product: numbers, the command and its answer, and what goes wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.base.errors import SettingsError
from edge.bridge.line_requests import Failure
from edge.bridge.plc_commands import CommandAnswer
from edge.bridge.protocols.opcua_model import result_of
from edge.bridge.protocols.registers import nothing_written, values_of
from edge.bridge.signals import COUNTED, Signals
from edge.events.access_list import AllowedClient, write_allowed
from edge.events.client import RequestClient, service_endpoint
from edge.events.cursor_file import Cursor
from edge.events.cursors import Role
from edge.events.event import Event, Status
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


def test_archive_learns_that_a_bridge_changed_the_product(line: Line, bridge: Bridge) -> None:
    line[1].go.set()
    at_rest(bridge)
    bridge.plc.until(lambda v: v["product_running"] == 2, command=3, product=2)
    with RequestClient(service_endpoint(line[0].endpoint), None, "--replay") as client:
        found = list(client.events_after(Cursor("", 0), lambda notice: None))
    headers = [e.header for e in found if isinstance(e, Event)]
    (change,) = [c for h in headers if isinstance(h, Status) for c in h.changes]
    assert (change.who, change.action) == ("bridge modbus", "switch")
    assert change.new == "twin 1"
    assert "@" in change.origin
