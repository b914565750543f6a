"""OPC UA in the terms of OPC 40100-1 (machine vision), without its full nodeset (asyncua).

Objects/VisionSystem: CurrentState, Trouble, Heartbeat, counts; the event ResultReady for each
verdict that came in time; the methods GetLatestResult (what is valid at that moment, and NG
otherwise), PrepareRecipe (change the product; RecipePrepared tells when it runs), Trigger, Halt and
Reset.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from asyncua import ua
from asyncua.common.methods import uamethod
from asyncua.common.node import Node
from asyncua.server.server import Server

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.plc_trigger import LATEST_S, PlcTrigger
from edge.bridge.product_change import ChangeRequest, ProductChanges
from edge.bridge.protocols.opcua_security import NAMESPACE, OpcuaSecurity, server_of
from edge.bridge.signals import Inputs, Signals, Trouble
from edge.events.event import Inspection

log = logging.getLogger(__name__)

LOOK_S = 0.05
COMPLETED = 1  # ResultState of OPC 40100-1
STATES = {
    Trouble.STARTING: "Preoperational",
    Trouble.LINE_SILENT: "Error",
    Trouble.LINE_FAULT: "Error",
    Trouble.LOG_SILENT: "Error",
    Trouble.LINE_PAUSED: "Halted",
    Trouble.HALTED: "Halted",
}
"""In all others the line judges each part by itself: Operational, ContinuousExecution."""

FIELDS: tuple[tuple[str, ua.VariantType], ...] = (
    ("ResultId", ua.VariantType.String),
    ("IsPartial", ua.VariantType.Boolean),
    ("ResultState", ua.VariantType.Int32),
    ("InternalRecipeId", ua.VariantType.String),
    ("InternalConfigurationId", ua.VariantType.String),
    ("JobId", ua.VariantType.String),
    ("CreationTime", ua.VariantType.DateTime),
    ("Verdict", ua.VariantType.String),
    ("Score", ua.VariantType.Double),
    ("TriggerId", ua.VariantType.Int64),
    ("Encoder", ua.VariantType.Int64),
    ("PartId", ua.VariantType.String),
    ("ExternalRecipeId", ua.VariantType.String),
)
RECIPE = (("ExternalId", ua.VariantType.String), ("InternalId", ua.VariantType.String))
PREPARED_S = 1.0  # PrepareRecipe waits so long for an answer, and the client does for longer
WANTED = (("ExternalId", ua.VariantType.String), ("InternalIdIn", ua.VariantType.String))
PREPARED = (
    ("InternalIdOut", ua.VariantType.String),
    ("IsCompleted", ua.VariantType.Boolean),
    ("Error", ua.VariantType.Int32),
)
TRIGGER = (
    ("TriggerId", ua.VariantType.Int64),
    ("Encoder", ua.VariantType.Int64),
    ("PartId", ua.VariantType.String),
)
ANSWER = (("Given", ua.VariantType.Boolean), ("Error", ua.VariantType.Int32))
GIVEN_S = 0.002
RECIPE_STATES = {"loading": "Preparing", "done": "Prepared", "failed": "Failed"}


def result_of(inspection: Inspection | None, numbers: Mapping[str, int]) -> dict[str, Any]:
    """The fields of a result; without one, no id and NG."""
    if inspection is None:
        empty: dict[str, Any] = dict.fromkeys((name for name, _ in FIELDS), "")
        return empty | {
            "IsPartial": False, "ResultState": 0, "CreationTime": datetime.now(UTC),
            "Verdict": "NG", "Score": 0.0, "TriggerId": 0, "Encoder": 0, "ExternalRecipeId": "0",
        }  # fmt: skip
    return {
        "ResultId": str(inspection.inspection_id),
        "IsPartial": False,
        "ResultState": COMPLETED,
        "InternalRecipeId": inspection.product,
        "InternalConfigurationId": inspection.version,
        "JobId": str(inspection.trigger_id or inspection.frame_id),
        "CreationTime": datetime.fromisoformat(inspection.captured_at),
        "Verdict": inspection.verdict,
        "Score": inspection.score or 0.0,
        "TriggerId": inspection.trigger_id or 0,
        "Encoder": inspection.encoder or 0,
        "PartId": inspection.part_id or "",
        "ExternalRecipeId": str(numbers.get(inspection.product, 0)),
    }


class VisionSystem:
    """The server's nodes, fed from a gate. Made by `serve`."""

    def __init__(
        self,
        server: Server,
        feed: Feed,
        changes: ProductChanges,
        triggering: PlcTrigger,
        results: SimpleQueue[Inspection],
        deadline_s: float,
    ) -> None:
        self._deadline_s, self._changes, self._triggering = deadline_s, changes, triggering
        self._server, self._feed, self._results = server, feed, results
        self._nodes: dict[str, Node] = {}
        self._told: dict[str, Any] = {}
        self._heartbeat = 0
        self._change: ChangeRequest | None = None  # the last that was begun
        self._prepared: ChangeRequest | None = None  # the last that was told as prepared
        self._halted = False

    async def build(self) -> None:
        """The object with its variables, methods and event."""
        space = await self._server.register_namespace(NAMESPACE)
        system = await self._server.nodes.objects.add_object(space, "VisionSystem")
        for name, value in self._values(self._feed.signals()).items():
            self._nodes[name] = await system.add_variable(space, name, value)
        await system.add_method(space, "GetLatestResult", self._latest, [], _arguments(*FIELDS))
        wanted, answer = _arguments(*WANTED), _arguments(*PREPARED)
        await system.add_method(space, "PrepareRecipe", self._prepare, wanted, answer)
        wanted, answer = _arguments(*TRIGGER), _arguments(*ANSWER)
        await system.add_method(space, "Trigger", self._trigger, wanted, answer)
        await system.add_method(space, "Halt", self._halt, [], [])
        await system.add_method(space, "Reset", self._reset, [], [])
        kind = await self._server.create_custom_event_type(
            space, "ResultReadyEventType", properties=list(FIELDS)
        )
        self._ready = await self._server.get_event_generator(kind, system.nodeid)
        kind = await self._server.create_custom_event_type(
            space, "RecipePreparedEventType", properties=list(RECIPE)
        )
        self._recipe = await self._server.get_event_generator(kind, system.nodeid)

    async def turn(self) -> None:
        """Tell what has changed, and each new result."""
        for name, value in self._values(self._feed.signals()).items():
            if self._told.get(name) != value:
                await self._nodes[name].write_value(value)
                self._told[name] = value
        await self._tell_prepared()
        while not self._results.empty():
            inspection = self._results.get_nowait()
            if self._halted or self._feed.age_s(inspection) >= self._deadline_s:
                continue
            for name, value in result_of(inspection, self._changes.numbers).items():
                setattr(self._ready.event, name, value)
            await self._ready.trigger(message=f"part {inspection.trigger_id}")

    async def _tell_prepared(self) -> None:
        """Once for each change that has been made."""
        change = self._change
        if change is None or change is self._prepared or change.outcome.state != "done":
            return
        self._prepared = change
        self._recipe.event.ExternalId = str(self._changes.numbers[change.product])
        self._recipe.event.InternalId = change.product
        await self._recipe.trigger(message=f"the line judges {change.product}")

    def _values(self, signals: Signals) -> dict[str, Any]:
        self._heartbeat += 1
        outcome = self._change.outcome if self._change else None
        state = STATES.get(signals.trouble, "Operational")
        return {
            "CurrentState": state,
            "OperationalState": "ContinuousExecution" if state == "Operational" else "",
            "Trouble": Trouble(signals.trouble).name.lower(),
            "Heartbeat": self._heartbeat,
            "InternalRecipeId": signals.running,
            "ExternalRecipeId": str(self._changes.numbers.get(signals.running, 0)),
            "RecipeState": RECIPE_STATES[outcome.state] if outcome else "",
            "RecipeError": -int(outcome.failure) if outcome else 0,
            **{f"Count_{name}": count for name, count in signals.counts.items()},
        }

    @uamethod
    async def _latest(self, parent: Any) -> tuple[Any, ...]:
        signals = self._feed.signals()
        found = result_of(signals.result, self._changes.numbers)
        return tuple(ua.Variant(found[name], kind) for name, kind in FIELDS)

    @uamethod
    async def _prepare(self, parent: Any, external: str, internal: str) -> tuple[Any, ...]:
        """The method of OPC 40100-1: the inner name goes before the number; errors are negative."""
        wanted = internal or external
        change = self._changes.begin(int(external) if _is_number(wanted, internal) else wanted)
        if self._change is None or not self._change.loading:
            self._change = change
        end = time.monotonic() + PREPARED_S
        with self._in_turn():
            while change.loading and time.monotonic() < end:
                await asyncio.sleep(LOOK_S)
        outcome = change.outcome
        completed = ua.Variant(outcome.state == "done", ua.VariantType.Boolean)
        error = ua.Variant(-int(outcome.failure), ua.VariantType.Int32)
        return change.product, completed, error

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """A client's calls are served one by one: one that waits makes the next one old."""
        began = time.monotonic()
        yield
        if time.monotonic() - began > LATEST_S:
            self._triggering.standstill.stood()

    @uamethod
    async def _trigger(
        self, parent: Any, trigger_id: int, encoder: int, part_id: str | None
    ) -> tuple[Any, ...]:
        """A part is under the camera; answers once the line has the trigger, or it has failed."""
        attempt = self._triggering.begin(trigger_id, encoder, part_id or None)
        with self._in_turn():
            while attempt.under_way:
                await asyncio.sleep(GIVEN_S)
        given = ua.Variant(attempt.outcome.state == "done", ua.VariantType.Boolean)
        return given, ua.Variant(-int(attempt.outcome.failure), ua.VariantType.Int32)

    @uamethod
    async def _halt(self, parent: Any) -> None:
        self._halted = True
        self._feed.plc(Inputs(halted=True))
        log.warning("an OPC UA client has halted the bridge: nothing is offered until Reset")

    @uamethod
    async def _reset(self, parent: Any) -> None:
        """Ends Halt, and the trouble of a part; what else is wrong stays so."""
        self._halted = False
        self._feed.plc(Inputs(reset=True))
        self._feed.plc(Inputs())
        log.info("an OPC UA client has reset the bridge")


def _is_number(wanted: str, internal: str) -> bool:
    return not internal and wanted.isascii() and wanted.isdecimal()


def _arguments(*fields: tuple[str, ua.VariantType]) -> list[ua.Argument]:
    return [
        ua.Argument(Name=name, DataType=ua.NodeId(ua.Int32(kind.value))) for name, kind in fields
    ]


async def serve(
    feed: Feed,
    changes: ProductChanges,
    triggering: PlcTrigger,
    results: SimpleQueue[Inspection],
    deadline_s: float,
    door: OpcuaSecurity,
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set or the feed has died. Raises BridgeError where it cannot listen.

    `results` is filled by the feed's thread.
    """
    server = await server_of(door)
    system = VisionSystem(server, feed, changes, triggering, results, deadline_s)
    await system.build()
    try:
        await server.start()
    except OSError as error:
        raise BridgeError(
            f"cannot listen on {door.host}:{door.port} ({error}): another program has it: "
            "choose another --listen"
        ) from error
    watching = asyncio.create_task(triggering.standstill.watch())
    log.info("OPC UA on opc.tcp://%s:%d", door.host, door.port)
    try:
        while not stop.is_set() and feed.died is None:
            await system.turn()
            await asyncio.sleep(LOOK_S)
    finally:
        watching.cancel()
        await server.stop()
