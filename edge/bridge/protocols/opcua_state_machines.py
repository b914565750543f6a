"""The state machines of OPC 40100-1 in the server: their variables, and an event per transition."""

from collections.abc import Mapping
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uatypes import VariantType

from edge.bridge.protocols.opcua_nodes import Event, Nodes, describe, status
from edge.bridge.protocols.opcua_nodeset import Standard, value_of
from edge.bridge.protocols.opcua_results import Job
from edge.bridge.protocols.opcua_states import (
    AUTOMATIC,
    EXECUTING,
    OPERATIONAL,
    Cause,
    State,
    Step,
    path,
    top_of,
)

VISION, AUTOMATIC_MODE = "VisionStateMachineType", "VisionAutomaticModeStateMachineType"
SEVERITY, SEVERITY_OF_ERROR = 100, 700  # of 1000
EVENTS = (
    "StateChangedEventType",
    "ErrorEventType",
    "ErrorResolvedEventType",
    "JobStartedEventType",
    "ReadyEventType",
)


class Machine:
    """One of the two: an object of the server, and the states and transitions of its type."""

    def __init__(self, node: Node, name: str) -> None:
        self.node, self.name = node, name
        self.ids: dict[str, ua.NodeId] = {}

    async def load(self, kind: Node) -> None:
        """Find the states and transitions, and the variables of the current state."""
        for child in await kind.get_children():
            self.ids[str((await child.read_browse_name()).Name)] = child.nodeid
        self._state = await self.node.get_child("0:CurrentState")
        self._id = await self._state.get_child("0:Id")

    async def show(self, state: str | None) -> None:
        """Write the current state; None where the machine is not active."""
        if state is None:
            inactive = ua.DataValue(StatusCode=status(StatusCodes.BadStateNotActive))
            await self._id.write_value(inactive)
            await self._state.write_value(inactive)
        else:
            await self._id.write_value(self.ids[state], VariantType.NodeId)
            await self._state.write_value(ua.LocalizedText(state, "en"))


class StateMachines:
    """Both machines of a vision system: `build` once, then `move`."""

    def __init__(self, standard: Standard) -> None:
        self._standard = standard
        self.state = State.PREOPERATIONAL
        self.job = Job()
        """The execution that is under way, or was the last."""

    async def build(self, nodes: Nodes, system: Node) -> tuple[Node, Node]:
        """Add the automatic mode to the system; the objects of both machines."""
        vision = await self._standard.child(system, "VisionStateMachine")
        name = "AutomaticModeStateMachine"
        kind = self._standard.type(AUTOMATIC_MODE)
        where = f"{vision.nodeid.Identifier!s}.{name}"
        automatic = await nodes.add_part(vision, self._standard.name(name), kind, where)
        await describe(vision, "Whether the line can judge, and why not.")
        await describe(automatic, "Whether the line judges, while the system is Operational.")
        self._vision = Machine(vision, "VisionStateMachine")
        self._automatic = Machine(automatic, name)
        await self._vision.load(self._standard.type(VISION))
        await self._automatic.load(kind)
        self._events = {
            name: await nodes.event_of(system, self._standard.type(name)) for name in EVENTS
        }
        await self._show()
        return vision, automatic

    async def move(self, wanted: State, cause: Cause, job: Job) -> None:
        """Take the transitions to a state; `job` is the one that an execution then is."""
        for step in path(self.state, wanted, cause):
            self.state = step.after
            if self.state in EXECUTING:
                self.job = job
            await self._show()
            await self._report(step)

    async def _show(self) -> None:
        await self._vision.show(top_of(self.state))
        await self._automatic.show(str(self.state) if self.state in AUTOMATIC else None)

    async def _report(self, step: Step) -> None:
        transition = self._transition(step)
        await self._send("StateChangedEventType", step, transition)
        if step.target == State.ERROR:
            await self._send("ErrorEventType", step, transition)
        elif step.source == State.ERROR and step.target == OPERATIONAL:
            await self._send("ErrorResolvedEventType", step, transition)
        job = {"JobId": ua.Variant(value_of("JobIdDataType", Id=self.job.id))}
        if step.target in EXECUTING:
            await self._send("JobStartedEventType", step, job)
        elif step.source in EXECUTING:
            await self._send("ReadyEventType", step, job)

    async def _send(self, name: str, step: Step, values: Mapping[str, ua.Variant]) -> None:
        machine = self._machine(step)
        severity = SEVERITY_OF_ERROR if name == "ErrorEventType" else SEVERITY
        about = {
            "SourceNode": ua.Variant(machine.node.nodeid, VariantType.NodeId),
            "SourceName": ua.Variant(machine.name),
            "Severity": ua.Variant(severity, VariantType.UInt16),
        }
        event: Event = self._events[name]
        await event.send_variants(f"{step.source} -> {step.target}", {**about, **values})

    def _machine(self, step: Step) -> Machine:
        return self._automatic if step.automatic else self._vision

    def _transition(self, step: Step) -> dict[str, ua.Variant]:
        named = {"Transition": step.name, "FromState": step.source, "ToState": step.target}
        ids = self._machine(step).ids
        values: dict[str, Any] = {}
        for field, name in named.items():
            values[field] = ua.Variant(ua.LocalizedText(name, "en"))
            values[f"{field}/Id"] = ua.Variant(ids[name], VariantType.NodeId)
        return values
