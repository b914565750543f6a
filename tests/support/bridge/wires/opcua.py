"""OPC UA: the variables, methods and events of the vision system, without a server around them."""

import asyncio
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from edge.bridge.feed import Feed
from edge.bridge.protocols import opcua_vision_system as opcua
from edge.bridge.protocols.opcua_line import LineParts, OpcuaLine
from edge.bridge.signals import Inputs, Trouble
from edge.events.event import Inspection
from tests.support.bridge.gate_model import DEADLINE_S, Clock
from tests.support.bridge.wires.fields import COUNTS
from tests.support.bridge.wires.wire import NAMES, PRODUCTS, View, Wire


class Opcua(Wire):
    halts = sends = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._loop = asyncio.new_event_loop()
        self.patches.callback(self._loop.close)
        self.patches.enter_context(patch.object(opcua, "time", clock))
        self.patches.enter_context(patch.object(opcua, "Nodes", lambda *_: self._nodes))
        for name in ("Standard", "MachineVision"):
            self.patches.enter_context(patch.object(opcua, name, lambda *_: _Nothing()))

    def start(self, feed: Feed) -> list[Inputs]:
        super().start(feed)
        self._results: SimpleQueue[Inspection] = SimpleQueue()
        self._nodes, self._beat = _Nodes(self._hear), 0

        async def namespace(_: str) -> int:
            return 2

        changes = SimpleNamespace(numbers=PRODUCTS)
        security = SimpleNamespace(warning=lambda: "")
        server = SimpleNamespace(register_namespace=namespace)
        nothing: Any = None
        line = OpcuaLine(LineParts(feed, cast(Any, changes), nothing, nothing, DEADLINE_S))
        self._system = opcua.VisionSystem(
            cast(Any, server), line, self._results, cast(Any, security)
        )
        self._loop.run_until_complete(self._system.build(""))
        return []

    def _hear(self, event: dict[str, Any]) -> None:
        assert event["ResultState"] == 1
        assert event["TriggerId"] == int(event["ResultId"]) + 1000
        self.messages.append((int(event["ResultId"]), event["Verdict"]))

    def in_time(self, inspection: Inspection) -> None:
        self._results.put(inspection)

    def look(self) -> View:
        self._loop.run_until_complete(self._system.publish())
        values = self._nodes.values
        assert values["Heartbeat"] != self._beat, "the bridge is alive"
        self._beat = values["Heartbeat"]
        latest = {variant[0]: variant[1] for variant in self._call("GetLatestResult")}
        number, state = int(latest["ResultId"] or 0), values["CurrentState"]
        assert latest["ResultState"] == (number != 0)
        assert latest["ExternalRecipeId"] == str(PRODUCTS.get(latest["InternalRecipeId"], 0))
        assert (state == "Operational") == (values["OperationalState"] == "ContinuousExecution")
        trouble = Trouble[values["Trouble"].upper()]
        return {
            "online": trouble not in (Trouble.STARTING, Trouble.LINE_SILENT),
            "ready": state == "Operational",
            "trouble": int(trouble),
            "inspection_id": number,
            "verdict": latest["Verdict"],
            "product": latest["InternalRecipeId"],
            "running": NAMES[int(values["ExternalRecipeId"])],
            "counts": {name: values[f"Count_{name}"] for name in COUNTS},
        }

    def _call(self, name: str) -> Any:
        found = self._loop.run_until_complete(self._nodes.methods[name]())
        return [(field, variant.Value) for field, variant in
                zip(self._nodes.answers[name], found, strict=True)]  # fmt: skip

    def write(self, inputs: Inputs) -> list[Inputs]:
        if inputs.halted:
            self._call("Halt")
            return [Inputs(halted=True)]
        if inputs.reset:
            self._call("Reset")
            return [Inputs(reset=True), Inputs()]
        return []


class _Nodes:
    """In the place of the server's address space."""

    def __init__(self, hear: Any) -> None:
        self.values: dict[str, Any] = {}
        self.methods: dict[str, Any] = {}
        self.answers: dict[str, list[str]] = {}
        self._hear = hear

    async def add_object(self, name: str, kind: Any = None) -> str:
        return name

    async def add_variable(self, parent: Any, name: str, value: Any, *, counts: bool) -> Any:
        async def write_value(new: Any) -> None:
            self.values[name] = new

        self.values[name] = value
        return SimpleNamespace(write_value=write_value)

    async def add_method(
        self, parent: Any, name: str, function: Any, wanted: Any, answer: Any
    ) -> None:
        self.methods[name] = function
        self.answers[name] = [field for field, _ in answer]

    async def add_event(self, emitter: Any, name: str, fields: Any) -> Any:
        async def send(message: str, values: Any) -> None:
            self._hear(dict(values))

        return SimpleNamespace(send=send)


class _Nothing:
    """In the place of the standard's types, which have tests of their own."""

    def type(self, name: str) -> None:
        return None

    async def load(self, nodeset: Any) -> None: ...

    async def build(self, nodes: Any, system: Any) -> None: ...

    async def publish(self, signals: Any) -> None: ...

    async def result(self, inspection: Any) -> None: ...

    async def prepared(self, change: Any) -> None: ...
