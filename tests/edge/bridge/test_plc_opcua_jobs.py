"""`draem bridge opcua --single-jobs`: a picture for each StartSingleJob, over a real connection."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import BadInvalidState
from pydantic import BaseModel

from edge.base.person import Person
from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.line_pause import LinePause
from edge.bridge.line_requests import Failure
from edge.bridge.plc_trigger import PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols import opcua
from edge.bridge.protocols.opcua_job_methods import JobMethods
from edge.bridge.protocols.opcua_jobs import Jobs
from edge.bridge.protocols.opcua_line import LineParts
from edge.bridge.protocols.opcua_nodeset import MACHINE_VISION, read_nodeset, value_of
from edge.bridge.protocols.opcua_security import OpcuaSecurity
from edge.bridge.simulated_line import SIMULATED, SimulatedLine, simulated
from edge.events.control_messages import Request, TriggerRequest
from edge.events.event import Inspection
from edge.events.server import ErrorReply
from tests.support.bridge.opcua import Heard, connected, until_true
from tests.support.ports import free_ports

DEADLINE_S = 2.0
SYSTEM = "ns=2;s=VisionSystem.VisionStateMachine"
AUTOMATIC = f"{SYSTEM}.AutomaticModeStateMachine"
RESULT, STARTED, READY = 1024, 1013, 1023


class ForBridges(SimulatedLine):
    """A line with keys: a bridge's may trigger, and not pause."""

    def ask(self, question: BaseModel) -> list[bytes]:
        if isinstance(question, Request) and question.request in ("pause", "resume"):
            return [ErrorReply(message="not this key").model_dump_json().encode()]
        return super().ask(question)


@contextmanager
def parts_of(
    line: SimulatedLine, results: SimpleQueue[Inspection], *, single_jobs: bool
) -> Iterator[LineParts]:
    """What the command opens for a simulated line."""
    gate = Gate(Rules("free-running", DEADLINE_S, plc_silent_s=0))
    with (
        Feed(gate, simulated(line), results.put) as feed,
        ProductChanges({1: SIMULATED, 2: "lid"}, line, feed.running) as changes,
        PlcTrigger(line) as triggering,
        LinePause(line, Person("bridge opcua")) as pausing,
    ):
        yield LineParts(feed, changes, triggering, pausing, DEADLINE_S, single_jobs)


@asynccontextmanager
async def served(folder: Path, line: SimulatedLine, *, single_jobs: bool) -> AsyncIterator[Client]:
    """A client of a bridge in this process."""
    results: SimpleQueue[Inspection] = SimpleQueue()
    port, stop = free_ports(1)[0], asyncio.Event()
    security = OpcuaSecurity("127.0.0.1", port, None, frozenset(), folder / "station-1")
    with parts_of(line, results, single_jobs=single_jobs) as parts:
        serving = asyncio.create_task(
            opcua.serve(parts, results, security, read_nodeset(None), stop)
        )
        client = Client(f"opc.tcp://127.0.0.1:{port}")
        try:
            await connected(client)
            yield client
            await client.disconnect()
        finally:
            stop.set()
            await serving


async def start(client: Client, method: str, **ids: str) -> tuple[str, int]:
    """Call a start method with MeasIdDataType="..." and so on; the JobId and the error."""
    names = ("MeasIdDataType", "PartIdDataType", "RecipeIdExternalDataType", "ProductIdDataType")
    given = [value_of(name, Id=ids[name]) if name in ids else None for name in names]
    space = await client.get_namespace_index(MACHINE_VISION)
    job, error = await client.get_node(AUTOMATIC).call_method(
        f"{space}:{method}", *given, ua.Variant(None)
    )
    return str(job.Id or ""), error


class Line:
    """A client's view of the automatic mode, and the events of the standard by their type."""

    def __init__(self, client: Client) -> None:
        self.client, self._heard = client, Heard()
        self.state = client.get_node(f"{AUTOMATIC}.CurrentState")

    async def subscribe(self) -> None:
        subscription = await self.client.create_subscription(20, self._heard)
        kinds = [self.client.get_node(f"ns=3;i={number}") for number in (RESULT, STARTED, READY)]
        await subscription.subscribe_events(self.client.nodes.server, kinds)

    def events(self, number: int) -> list[Any]:
        return [one for one in self._heard.events if one.EventType.Identifier == number]

    async def is_in(self, name: str) -> None:
        while True:
            value = await self.state.read_data_value(raise_on_bad_status=False)
            if value.Value is not None and getattr(value.Value.Value, "Text", "") == name:
                return
            await asyncio.sleep(0.02)


class Clock:
    """The clock that job ids are made from."""

    def __init__(self) -> None:
        self.now = 0

    def milliseconds(self) -> int:
        return self.now


async def accepted(client: Client, clock: Clock, first: int, **ids: str) -> str:
    """The id of a job, with the same remainder by 25 as `first`.

    Again while the machine is so busy that the bridge was held up.
    """
    clock.now = first
    while True:
        job, error = await start(client, "StartSingleJob", **ids)
        if error != -Failure.TOO_LATE:
            assert error == 0
            assert job == str(clock.now)
            return job
        clock.now += 25


def test_opcua_single_job_ends_with_its_result_or_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("edge.bridge.protocols.opcua_jobs.now_ms", clock.milliseconds)

    async def talk() -> None:
        line = SimulatedLine(1)
        line.triggered = True  # no parts come by themselves
        async with served(tmp_path, line, single_jobs=True) as client:
            view = Line(client)
            await asyncio.wait_for(view.is_in("Ready"), 60)
            await view.subscribe()
            assert (await start(client, "StartContinuous"))[1] == -Failure.REFUSED
            for wrong in ({"RecipeIdExternalDataType": "2"}, {"ProductIdDataType": "lid"}):
                assert await start(client, "StartSingleJob", **wrong) == ("", -Failure.REFUSED)
            asked = {"MeasIdDataType": "m-1", "PartIdDataType": "p-1"}
            asked["RecipeIdExternalDataType"] = "1"
            job = await accepted(client, clock, 1001, **asked)
            await until_true(lambda: bool(view.events(READY)))
            (result,) = view.events(RESULT)
            assert (result.JobId.Id, result.MeasId.Id, result.PartId.Id) == (job, "m-1", "p-1")
            assert view.events(STARTED)[0].JobId.Id == view.events(READY)[0].JobId.Id == job
            lost = await accepted(client, clock, 5000)  # every 25th has no verdict
            with pytest.raises(BadInvalidState):
                await start(client, "StartSingleJob")
            await until_true(lambda: len(view.events(READY)) == 2)
            assert view.events(READY)[1].JobId.Id == lost
            assert len(view.events(RESULT)) == 1
            line.paused = True
            await asyncio.wait_for(view.is_in("Initialized"), 60)
            with pytest.raises(BadInvalidState):
                await start(client, "StartSingleJob")

    asyncio.run(talk())


class HeldUp(SimulatedLine):
    """Each trigger waits until it is let go."""

    def __init__(self) -> None:
        super().__init__(1)
        self.triggered = True
        self.asked, self.let_go = Event(), Event()

    def ask(self, question: BaseModel) -> list[bytes]:
        if isinstance(question, TriggerRequest):
            self.asked.set()
            assert self.let_go.wait(60)
        return super().ask(question)


async def next_job(client: Client) -> int:
    """The error of the next job that is not refused because of another, or of a busy machine."""
    while True:
        with suppress(BadInvalidState):
            error = (await start(client, "StartSingleJob"))[1]
            if error != -Failure.TOO_LATE:
                return error
        await asyncio.sleep(0.05)


def test_opcua_single_job_of_a_client_that_leaves_ends_too(tmp_path: Path) -> None:
    async def talk() -> None:
        line = HeldUp()
        async with served(tmp_path, line, single_jobs=True) as client:
            await asyncio.wait_for(Line(client).is_in("Ready"), 60)
            leaving = Client(client.server_url.geturl())
            await connected(leaving)
            starting = asyncio.create_task(start(leaving, "StartSingleJob"))
            await until_true(line.asked.is_set)
            cast(Any, leaving.uaclient.protocol).transport.abort()
            await asyncio.gather(starting, return_exceptions=True)
            await asyncio.sleep(0.2)  # the bridge has seen it
            line.let_go.set()
            assert await asyncio.wait_for(next_job(client), 20) == 0
            with suppress(Exception):
                await leaving.disconnect()

    asyncio.run(talk())


def test_opcua_forgets_the_cause_of_a_client_that_leaves() -> None:
    """Else the next change of the line, of whatever cause, would be reported as its doing."""

    class Silent:
        async def pause(self, *, paused: bool) -> None:
            await asyncio.Event().wait()

    async def talk() -> None:
        line, machines = cast(Any, Silent()), cast(Any, None)
        jobs = Jobs(line, machines)
        methods: Any = JobMethods(line, machines, jobs)
        pausing = asyncio.create_task(methods._pause("Stop"))
        await asyncio.sleep(0)
        causes = [jobs.cause]
        pausing.cancel()
        await asyncio.gather(pausing, return_exceptions=True)
        assert [*causes, jobs.cause] == ["Stop", ""]

    asyncio.run(talk())


def test_opcua_start_and_stop_need_a_key_that_may_pause(tmp_path: Path) -> None:
    async def talk() -> None:
        line = ForBridges(20)
        async with served(tmp_path, line, single_jobs=False) as client:
            view = Line(client)
            await asyncio.wait_for(view.is_in("ContinuousExecution"), 60)
            automatic = client.get_node(AUTOMATIC)
            why = ua.Variant(1, ua.VariantType.Int32), ""
            assert await automatic.call_method("3:Stop", *why) == -Failure.REFUSED
            await view.is_in("ContinuousExecution")
            with pytest.raises(BadInvalidState):
                await start(client, "StartSingleJob")
            type_method = client.get_node("ns=3;i=7096")  # Stop, as the type has it
            assert await automatic.call_method(type_method.nodeid, *why) == -Failure.REFUSED
            assert not line.paused

    asyncio.run(talk())
