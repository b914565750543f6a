"""`draem bridge opcua` between a real station and asyncua's client."""

import asyncio
import socket
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from asyncua.client.client import Client
from asyncua.ua import AccessLevel, Int32, NodeClass, NodeId, uaerrors
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from edge.bridge.line_requests import Failure
from edge.bridge.protocols.opcua_model import FIELDS, STATES
from edge.bridge.signals import OF_LINE, Trouble
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.opcua import Bridge, Heard, connected, until, until_true
from tests.support.bridge.tcp import wait_until_kept_alive
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


def test_events_reach_the_server_object_where_generic_clients_subscribe(bridge: Bridge) -> None:
    async def talk() -> None:
        client = Client(bridge.url)
        system, space = await connected(client)
        anything, results = Heard(), Heard()
        await results.subscribe(client, client.nodes.server, f"{space}:ResultReadyEventType")
        subscription = await client.create_subscription(20, anything)
        await subscription.subscribe_events()  # the client's default: Server, BaseEventType
        await until_true(lambda: len(results.events) > 5 and len(anything.events) > 5)
        ids = [int(event.ResultId) for event in results.events]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert {event.SourceNode for event in results.events} == {system.nodeid}
        notifiers = await client.nodes.server.get_referenced_nodes(ObjectIds.HasNotifier)
        assert system in notifiers
        await client.disconnect()

    asyncio.run(talk())


def test_wrong_arguments_get_the_status_code_of_the_standard(bridge: Bridge) -> None:
    async def talk() -> None:
        client = Client(bridge.url)
        system, space = await connected(client)
        for name, given, error in (
            ("PrepareRecipe", (), uaerrors.BadArgumentsMissing),
            ("PrepareRecipe", ("1",), uaerrors.BadArgumentsMissing),
            ("PrepareRecipe", ("1", "", ""), uaerrors.BadTooManyArguments),
            ("PrepareRecipe", (1, ""), uaerrors.BadInvalidArgument),
            ("PrepareRecipe", (["1"], ""), uaerrors.BadInvalidArgument),
            ("PrepareRecipe", (b"1", ""), uaerrors.BadInvalidArgument),
            ("Trigger", (1, 2), uaerrors.BadArgumentsMissing),
            ("Trigger", (1, 2, 3), uaerrors.BadInvalidArgument),
            ("GetLatestResult", (1,), uaerrors.BadTooManyArguments),
            ("Halt", ("now",), uaerrors.BadTooManyArguments),
            ("Reset", ("now",), uaerrors.BadTooManyArguments),
        ):
            with pytest.raises(error):
                await system.call_method(f"{space}:{name}", *given)
        for number in ("1", 1.0, True, None, [1], b"1"):
            answer = await system.call_method(f"{space}:Trigger", number, 2, "")
            assert answer == [False, -Failure.REFUSED]
        for wanted in ("9" * 5000, "x" * 5000, "-1", "\u0661"):
            answer = await system.call_method(f"{space}:PrepareRecipe", wanted, "")
            assert answer == ["", False, -Failure.UNKNOWN]
        await client.disconnect()

    asyncio.run(talk())


def test_ids_are_browse_paths_and_everything_says_what_it_is(bridge: Bridge) -> None:
    """An id that follows the order of creation would be another node's in the next version."""

    async def talk() -> dict[str, str]:
        client = Client(bridge.url)
        _, space = await connected(client)
        build = await client.get_node(
            NodeId(Int32(ObjectIds.Server_ServerStatus_BuildInfo))
        ).read_value()
        assert (build.ManufacturerName, build.ProductName) == ("draem", "draem")
        assert build.SoftwareVersion == metadata.version("draem")
        heartbeat = client.get_node(f"ns={space};s=VisionSystem.Heartbeat")
        unit = await heartbeat.get_child("0:EngineeringUnits")
        assert (await unit.read_value()).Description.Text == "pieces"
        found = {}
        todo = [client.nodes.objects, client.nodes.base_event_type]
        while todo:
            for child in await todo.pop().get_children():
                name = await child.read_browse_name()
                if child.nodeid.NamespaceIndex == space:
                    if await child.read_node_class() is NodeClass.Variable:
                        assert await child.get_access_level() == {AccessLevel.CurrentRead}, name
                    found[str(child.nodeid.Identifier)] = str((await child.read_description()).Text)
                    todo.append(child)
                    if name.NamespaceIndex == space:
                        assert found[str(child.nodeid.Identifier)].endswith("."), name
        inputs = client.get_node(f"ns={space};s=VisionSystem.Trigger.InputArguments")
        assert all(argument.Description.Text for argument in await inputs.read_value())
        await client.disconnect()
        return found

    found = asyncio.run(talk())
    names = [name for name, _ in FIELDS]
    assert found.keys() >= {"VisionSystem", "VisionSystem.CurrentState", "VisionSystem.Trigger",
                            "VisionSystem.PrepareRecipe.OutputArguments", "ResultReadyEventType",
                            *(f"ResultReadyEventType.{name}" for name in names)}  # fmt: skip
    assert not [name for name in found if name.isdecimal()]


def test_each_station_has_an_application_uri_of_its_own(bridge: Bridge, tmp_path: Path) -> None:
    async def uri(url: str) -> str:
        client = Client(url)
        await connected(client)
        array = await client.get_node(NodeId(Int32(ObjectIds.Server_ServerArray))).read_value()
        await client.disconnect()
        return str(array[0])

    station = Running(tmp_path)
    other = Bridge(station, "--station", "press-4", "--simulate", "5")
    uris = [asyncio.run(uri(url)) for url in (bridge.url, other.url)]
    assert "Traceback" not in other.close()
    station.close()
    assert [text.rpartition(":")[2] for text in uris] == ["station-1", "press-4"]


def test_a_client_without_power_is_noticed(bridge: Bridge) -> None:
    async def talk() -> None:
        client = Client(bridge.url)
        await connected(client)
        await asyncio.to_thread(wait_until_kept_alive, local=bridge.port)
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
                "another program (perhaps a bridge) has it",
            ),
            (["--listen", "0.0.0.0:4840"], "add --login FILE (user:password) or --clients"),
            (["--clients", str(empty)], "put the clients' certificates there"),
            (["--clients", str(rubbish)], "plc.der is no certificate"),
        ):
            assert says in mistaken("opcua", *words), words


def test_a_line_that_does_not_judge_never_looks_as_if_it_ran() -> None:
    troubles = set(OF_LINE.values()) - {Trouble.NONE}
    assert troubles <= STATES.keys(), "ContinuousExecution is what remains"
