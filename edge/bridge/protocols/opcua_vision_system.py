"""The object VisionSystem of the OPC UA server: its variables, methods and events (asyncua)."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from asyncua.common.node import Node
from asyncua.server.server import Server

from edge.bridge.feed import Feed
from edge.bridge.plc_trigger import LATEST_S, PlcTrigger
from edge.bridge.product_change import ChangeRequest, ProductChanges
from edge.bridge.protocols import opcua_model as model
from edge.bridge.protocols.opcua_nodes import Nodes
from edge.bridge.protocols.opcua_security import NAMESPACE, OpcuaSecurity
from edge.bridge.signals import Inputs, Signals
from edge.events.event import Inspection

log = logging.getLogger(__name__)

POLL_S = 0.05
CERTIFICATE_S = 3600.0  # the certificate is looked at so often
TRIGGER_POLL_S = 0.002
PREPARE_WAIT_S = 1.0  # PrepareRecipe waits so long for an answer, and the client does for longer


class VisionSystem:
    """The nodes, kept up to date from a gate: `build` once, then `publish` in a loop."""

    def __init__(
        self,
        server: Server,
        feed: Feed,
        changes: ProductChanges,
        triggering: PlcTrigger,
        results: SimpleQueue[Inspection],
        deadline_s: float,
        security: OpcuaSecurity,
    ) -> None:
        self._deadline_s, self._changes, self._triggering = deadline_s, changes, triggering
        self._server, self._feed, self._results = server, feed, results
        self._nodes: dict[str, Node] = {}
        self._published: dict[str, Any] = {}
        self._heartbeat = 0
        self._change: ChangeRequest | None = None  # the latest that was begun
        self._prepared: ChangeRequest | None = None  # the latest that was published as prepared
        self._halted = False
        self._security, self._certificate, self._check_at = security, "", 0.0

    async def build(self) -> None:
        """Add the object with its variables, methods and events."""
        nodes = Nodes(self._server, await self._server.register_namespace(NAMESPACE))
        system = await nodes.add_object("VisionSystem")
        for name, value in self._values(self._feed.signals()).items():
            counts = name.startswith("Count_") or name == "Heartbeat"
            self._nodes[name] = await nodes.add_variable(system, name, value, counts=counts)
        for name, method, wanted, answer in (
            ("GetLatestResult", self._latest, (), model.FIELDS),
            ("PrepareRecipe", self._prepare, model.PREPARE_IN, model.PREPARE_OUT),
            ("Trigger", self._trigger, model.TRIGGER_IN, model.TRIGGER_OUT),
            ("Halt", self._halt, (), ()),
            ("Reset", self._reset, (), ()),
        ):
            await nodes.add_method(system, name, method, wanted, answer)
        self._ready = await nodes.add_event(system, "ResultReadyEventType", model.FIELDS)
        self._recipe = await nodes.add_event(system, "RecipePreparedEventType", model.RECIPE)

    async def publish(self) -> None:
        """Write the variables that have changed, and send each new result as an event."""
        for name, value in self._values(self._feed.signals()).items():
            if self._published.get(name) != value:
                await self._nodes[name].write_value(value)
                self._published[name] = value
        await self._publish_prepared()
        while not self._results.empty():
            inspection = self._results.get_nowait()
            if self._halted or self._feed.age_s(inspection) >= self._deadline_s:
                continue
            values = model.result_of(inspection, self._changes.numbers)
            await self._ready.send(f"part {inspection.trigger_id}", values.items())

    async def _publish_prepared(self) -> None:
        """Once for each completed change."""
        change = self._change
        if change is None or change is self._prepared or change.outcome.state != "done":
            return
        self._prepared = change
        number = str(self._changes.numbers[change.product])
        values = (("ExternalId", number), ("InternalId", change.product))
        await self._recipe.send(f"the line judges {change.product}", values)

    def _check_certificate(self) -> str:
        """What is wrong with it; logged when it changes, as the days that are left do."""
        if time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + CERTIFICATE_S
            before, self._certificate = self._certificate, self._security.warning()
            if self._certificate and self._certificate != before:
                log.warning("%s", self._certificate)
        return self._certificate

    def _values(self, signals: Signals) -> dict[str, Any]:
        self._heartbeat += 1
        outcome = self._change.outcome if self._change else None
        state = model.STATES.get(signals.trouble, "Operational")
        return {
            "CurrentState": state,
            "OperationalState": "ContinuousExecution" if state == "Operational" else "",
            "Trouble": signals.trouble.name.lower(),
            "Heartbeat": self._heartbeat,
            "Certificate": self._check_certificate(),
            "InternalRecipeId": signals.running,
            "ExternalRecipeId": str(self._changes.numbers.get(signals.running, 0)),
            "RecipeState": model.RECIPE_STATES[outcome.state] if outcome else "",
            "RecipeError": -int(outcome.failure) if outcome else 0,
            **{f"Count_{name}": count for name, count in signals.counts.items()},
        }

    async def _latest(self) -> tuple[Any, ...]:
        signals = self._feed.signals()
        found = model.result_of(signals.result, self._changes.numbers)
        return model.variants(model.FIELDS, (found[name] for name, _ in model.FIELDS))

    async def _prepare(self, external: str | None, internal: str | None) -> tuple[Any, ...]:
        """The method of OPC 40100-1: the internal name has priority; errors are negative."""
        wanted = internal or external or ""
        numbered = not internal and wanted.isascii() and wanted.isdecimal() and len(wanted) < 10
        change = self._changes.begin(int(wanted) if numbered else wanted)
        if self._change is None or not self._change.under_way:
            self._change = change
        end = time.monotonic() + PREPARE_WAIT_S
        with self._in_turn():
            while change.under_way and time.monotonic() < end:
                await asyncio.sleep(POLL_S)
        outcome = change.outcome
        answer = change.product, outcome.state == "done", -int(outcome.failure)
        return model.variants(model.PREPARE_OUT, answer)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """A client's calls are served one by one: while one waits, the next becomes outdated."""
        began = time.monotonic()
        yield
        if time.monotonic() - began > LATEST_S:
            self._triggering.stall.mark_stalled()

    async def _trigger(self, trigger_id: int, encoder: int, part_id: str | None) -> tuple[Any, ...]:
        """A part is under the camera; answers once the line has the trigger, or it has failed."""
        attempt = self._triggering.begin(trigger_id, encoder, part_id or None)
        with self._in_turn():
            while attempt.under_way:
                await asyncio.sleep(TRIGGER_POLL_S)
        outcome = attempt.outcome
        return model.variants(model.TRIGGER_OUT, (outcome.state == "done", -int(outcome.failure)))

    async def _halt(self) -> tuple[Any, ...]:
        self._halted = True
        self._feed.plc(Inputs(halted=True))
        log.warning("an OPC UA client has halted the bridge: nothing is offered until Reset")
        return ()

    async def _reset(self) -> tuple[Any, ...]:
        """End Halt, and the trouble of a part; a cause that lasts stays."""
        self._halted = False
        self._feed.plc(Inputs(reset=True))
        self._feed.plc(Inputs())
        log.info("an OPC UA client has reset the bridge")
        return ()
