"""The object VisionSystem of the OPC UA server: OPC 40100-1, and nodes of our own (asyncua).

Our own say the same in plain types, for a PLC that reads no structures, and what the standard has
no place for: the fault code, the heartbeat, counts, and the result that is valid now.
"""

import logging
import time
from queue import SimpleQueue
from typing import Any

from asyncua.common.node import Node
from asyncua.server.server import Server

from edge.bridge.product_change import ChangeRequest
from edge.bridge.protocols import opcua_model as model
from edge.bridge.protocols.opcua_line import OpcuaLine
from edge.bridge.protocols.opcua_machine_vision import MachineVision
from edge.bridge.protocols.opcua_nodes import Nodes
from edge.bridge.protocols.opcua_nodeset import Standard
from edge.bridge.protocols.opcua_security import NAMESPACE, OpcuaSecurity
from edge.bridge.signals import Signals
from edge.events.event import Inspection

log = logging.getLogger(__name__)

CERTIFICATE_S = 3600.0  # the certificate is looked at so often


class VisionSystem:
    """The nodes, kept up to date from a line: `build` once, then `publish` in a loop."""

    def __init__(
        self,
        server: Server,
        line: OpcuaLine,
        results: SimpleQueue[Inspection],
        security: OpcuaSecurity,
    ) -> None:
        self._server, self._line, self._results = server, line, results
        self._nodes: dict[str, Node] = {}
        self._published: dict[str, Any] = {}
        self._heartbeat = 0
        self._prepared: ChangeRequest | None = None  # the latest that was published as prepared
        self._security, self._certificate, self._check_at = security, "", 0.0

    async def build(self, nodeset: str) -> None:
        """Import the standard's nodeset, and add the object with all that it has."""
        space = await self._server.register_namespace(NAMESPACE)  # first: its index stays 2
        standard = Standard(self._server)
        await standard.load(nodeset)
        nodes = Nodes(self._server, space)
        system = await nodes.add_object("VisionSystem", standard.type("VisionSystemType"))
        await self._build_own(nodes, system)
        self._standard = MachineVision(standard, self._line, space)
        await self._standard.build(nodes, system)

    async def _build_own(self, nodes: Nodes, system: Node) -> None:
        for name, value in self._values(self._line.feed.signals()).items():
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
        signals = self._line.feed.signals()
        for name, value in self._values(signals).items():
            if self._published.get(name) != value:
                await self._nodes[name].write_value(value)
                self._published[name] = value
        await self._standard.publish(signals)
        await self._publish_prepared()
        while not self._results.empty():
            inspection = self._results.get_nowait()
            if self._line.is_offered(inspection):
                values = model.result_of(inspection, self._line.changes.numbers)
                await self._ready.send(f"part {inspection.trigger_id}", values.items())
                await self._standard.result(inspection)

    async def _publish_prepared(self) -> None:
        """Once for each completed change."""
        change = self._line.change
        if change is None or change is self._prepared or change.outcome.state != "done":
            return
        self._prepared = change
        number = self._line.number_of(change.product)
        values = (("ExternalId", number), ("InternalId", change.product))
        await self._recipe.send(f"the line judges {change.product}", values)
        await self._standard.prepared(change)

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
        outcome = self._line.change.outcome if self._line.change else None
        state = model.STATES.get(signals.trouble, "Operational")
        return {
            "CurrentState": state,
            "OperationalState": "ContinuousExecution" if state == "Operational" else "",
            "Trouble": signals.trouble.name.lower(),
            "Heartbeat": self._heartbeat,
            "Certificate": self._check_certificate(),
            "InternalRecipeId": signals.running,
            "ExternalRecipeId": self._line.number_of(signals.running),
            "RecipeState": model.RECIPE_STATES[outcome.state] if outcome else "",
            "RecipeError": -int(outcome.failure) if outcome else 0,
            **{f"Count_{name}": count for name, count in signals.counts.items()},
        }

    async def _latest(self) -> tuple[Any, ...]:
        signals = self._line.feed.signals()
        found = model.result_of(signals.result, self._line.changes.numbers)
        return model.variants(model.FIELDS, (found[name] for name, _ in model.FIELDS))

    async def _prepare(self, external: str | None, internal: str | None) -> tuple[Any, ...]:
        """As the method of the standard, with texts; errors are negative."""
        change = await self._line.prepare(external or "", internal or "")
        outcome = change.outcome
        answer = change.product, outcome.state == "done", -int(outcome.failure)
        return model.variants(model.PREPARE_OUT, answer)

    async def _trigger(self, trigger_id: int, encoder: int, part_id: str | None) -> tuple[Any, ...]:
        outcome = await self._line.trigger(trigger_id, encoder, part_id)
        return model.variants(model.TRIGGER_OUT, (outcome.state == "done", -int(outcome.failure)))

    async def _halt(self) -> tuple[Any, ...]:
        self._line.halt()
        return ()

    async def _reset(self) -> tuple[Any, ...]:
        self._line.reset()
        return ()
