"""`draem bridge opcua` between a real station and asyncua's client."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from edge.bridge.line_requests import Failure
from edge.bridge.protocols.opcua_model import FIELDS, STATES
from edge.bridge.signals import OF_LINE, Trouble
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.opcua import Bridge, Heard, connected, until
from tests.support.running_station import Running


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """One for all, which must end without a traceback."""
    station = Running(tmp_path_factory.mktemp("station"))
    made = Bridge(station, "--recipe", "1=lid", "--recipe", "2=cap")
    yield made
    said = made.close()
    station.close()
    assert "Traceback" not in said


def test_plc_hears_each_result_and_fetches_the_latest(bridge: Bridge) -> None:
    async def talk() -> None:
        client = Client(bridge.url)
        system, space = await connected(client)
        state = await system.get_child(f"{space}:CurrentState")
        await until(state, "Operational")
        heard = Heard()
        await heard.subscribe(client, system, f"{space}:ResultReadyEventType")
        end = time.monotonic() + 10
        while len(heard.events) < 15:
            assert time.monotonic() < end, len(heard.events)
            await asyncio.sleep(0.05)
        ids = [int(event.ResultId) for event in heard.events]
        assert ids == list(range(ids[0], ids[0] + len(ids))), "in order, none twice"
        assert {event.Verdict for event in heard.events} == {"OK", "NG"}
        for event in heard.events:
            assert (event.Verdict == "NG") == (event.TriggerId % 7 == 0)
            assert not event.IsPartial
            assert event.ResultState == 1
            assert event.InternalRecipeId
            assert event.Encoder == -10 * event.TriggerId
            assert event.PartId == f"lid-{event.TriggerId}"
        latest = await system.call_method(f"{space}:GetLatestResult")
        found = dict(zip((name for name, _ in FIELDS), latest, strict=True))
        assert int(found["ResultId"]) >= ids[-1]
        assert (found["InternalRecipeId"], found["ExternalRecipeId"]) == ("lid", "1")
        prepare = f"{space}:PrepareRecipe"
        assert await system.call_method(prepare, "1", "") == ["lid", True, 0]
        refused = await system.call_method(prepare, "cap", "")
        assert refused == ["cap", False, -Failure.REFUSED], "this line cannot change"
        assert await system.call_method(prepare, "1", "another") == ["", False, -Failure.UNKNOWN]
        await client.disconnect()

    asyncio.run(talk())


def test_plc_is_offered_nothing_while_halted(bridge: Bridge) -> None:
    async def talk() -> None:
        client = Client(bridge.url)
        system, space = await connected(client)
        state = await system.get_child(f"{space}:CurrentState")
        await until(state, "Operational")
        heard = Heard()
        await heard.subscribe(client, system, f"{space}:ResultReadyEventType")
        await system.call_method(f"{space}:Halt")
        await until(state, "Halted")
        trouble = await system.get_child(f"{space}:Trouble")
        assert await trouble.read_value() == "halted"
        count = len(heard.events)
        latest = await system.call_method(f"{space}:GetLatestResult")
        assert (latest[0], latest[7]) == ("", "NG"), "the line goes on, and nothing is offered"
        await asyncio.sleep(0.3)  # fifteen parts
        assert len(heard.events) <= count + 1, "one may have been on its way"
        await system.call_method(f"{space}:Reset")
        await until(state, "Operational")
        sub_state = await system.get_child(f"{space}:OperationalState")
        assert await sub_state.read_value() == "ContinuousExecution"
        count = len(heard.events)
        while len(heard.events) == count:
            await asyncio.sleep(0.02)
        with pytest.raises(UaError):
            await state.write_value("Operational")  # a client reads the state, and never sets it
        await client.disconnect()

    asyncio.run(talk())


def test_mistakes_are_one_line_each(tmp_path: Path, mistaken: Mistaken) -> None:
    empty, rubbish = tmp_path / "empty", tmp_path / "rubbish"
    for folder in (empty, rubbish):
        folder.mkdir()
    (rubbish / "plc.der").write_text("nothing")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for words, says in (
            (
                ["--listen", f"127.0.0.1:{taken.getsockname()[1]}"],
                "another program (perhaps a bridge) has the port",
            ),
            (["--listen", "0.0.0.0:4840"], "add --login FILE (user:password) or --clients"),
            (["--clients", str(empty)], "put the clients' certificates there"),
            (["--clients", str(rubbish)], "plc.der is no certificate"),
        ):
            assert says in mistaken("opcua", *words), words


def test_a_line_that_does_not_judge_never_looks_as_if_it_ran() -> None:
    troubles = set(OF_LINE.values()) - {Trouble.NONE}
    assert troubles <= STATES.keys(), "ContinuousExecution is what remains"
