"""A SCADA host that decodes with another schema than the bridge encodes with; a scripted line."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from unittest.mock import patch

import paho.mqtt.client as paho
from esio_spb_builder.core.sparkplug_b_pb2 import Payload
from paho.mqtt.enums import CallbackAPIVersion

from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Rules
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols import mqtt_name, sparkplug_name
from edge.bridge.protocols.sparkplug import Sparkplug
from edge.bridge.protocols.sparkplug_name import DeathNumbers, Names
from edge.bridge.protocols.sparkplug_node import Node
from edge.bridge.simulated_line import SimulatedLine, _heartbeat
from edge.events.event import AnyHeader, Event
from edge.events.notices import Notice, Notify
from tests.support.bridge.mqtt import Broker
from tests.support.waiting import wait_until

DATA = ("NDATA", "DBIRTH", "DDATA", "DDEATH")


@dataclass
class Heard:
    """A message: its kind, its number, and its metrics by name; None is null."""

    kind: str
    seq: int | None
    values: dict[str, Any] = field(default_factory=dict)
    historical: set[str] = field(default_factory=set)
    metrics: dict[str, Any] = field(default_factory=dict)


class Host:
    """Follows one edge node as a host does: from a birth on, without a gap, names from births."""

    def __init__(self, broker: Broker, group: str = "plant", node: str = "press") -> None:
        self._where, self.heard = (group, node), list[Heard]()
        self.mistakes: list[str] = []
        self._names: dict[int, tuple[str, int]] = {}
        self._seq: int | None = None
        self.bd_seq: int | None = None
        self.alive = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect, self._client.on_message = self._begin, self._keep
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def _begin(self, *_: Any) -> None:
        self._seq = None
        group, node = self._where
        self._client.subscribe([(f"spBv1.0/{group}/+/{node}/#", 1)])
        self.command("NCMD", "Node Control/Rebirth", boolean_value=True)

    def command(self, kind: str, name: str = "", *, retain: bool = False, **value: Any) -> None:
        payload = Payload(timestamp=1)
        payload.metrics.add(name=name, **value)
        self.publish(kind, payload.SerializeToString(), retain=retain)

    def publish(self, kind: str, payload: bytes, *, retain: bool = False) -> None:
        device = "/station-1" if kind.startswith("D") else ""
        topic = f"spBv1.0/{self._where[0]}/{kind}/{self._where[1]}{device}"
        self._client.publish(topic, payload, retain=retain)

    def say_state(self, name: str, online: bool, at: int) -> None:
        text = f'{{"online": {str(online).lower()}, "timestamp": {at}}}'
        self._client.publish(f"spBv1.0/STATE/{name}", text, qos=1, retain=True)

    def _keep(self, client: Any, userdata: Any, message: Any) -> None:
        kind = message.topic.split("/")[2]
        if kind.endswith("CMD"):
            return
        payload = Payload.FromString(message.payload)
        heard = Heard(kind, payload.seq if payload.HasField("seq") else None)
        self._follow(heard, payload)
        self.heard.append(heard)

    def _follow(self, heard: Heard, payload: Any) -> None:
        if heard.kind == "NBIRTH":
            self._seq, self._names, self.alive = 0, {}, True
        elif heard.kind in DATA and self._seq is not None:
            self._seq = (self._seq + 1) % 256
        if heard.kind in ("NBIRTH", *DATA) and self._seq is not None and heard.seq != self._seq:
            self.mistakes.append(f"{heard.kind} {heard.seq} instead of {self._seq}")
        for one in payload.metrics:
            self._note(heard, one)
        if heard.kind == "NBIRTH":
            self.bd_seq = heard.values["bdSeq"]
        elif heard.kind == "NDEATH" and heard.values["bdSeq"] == self.bd_seq:
            self.alive = False

    def _note(self, heard: Heard, one: Any) -> None:
        if one.name and one.HasField("alias"):
            self._names[one.alias] = one.name, one.datatype
        if not one.name and one.alias not in self._names:
            if self._seq is not None:
                self.mistakes.append(f"{heard.kind} has an alias without a birth")
            return
        name, kind = (one.name, one.datatype) if one.name else self._names[one.alias]
        value = None if one.is_null else getattr(one, one.WhichOneof("value"))
        if value is not None and kind in (3, 4) and value >= 1 << (8 * kind - 9 + 24 * (kind == 4)):
            value -= 1 << (32 if kind == 3 else 64)
        heard.values[name], heard.metrics[name] = value, one
        if one.is_historical:
            heard.historical.add(name)

    def of(self, *kinds: str) -> list[Heard]:
        return [one for one in self.heard if one.kind in kinds]

    def results(self) -> list[Heard]:
        """Messages of a part."""
        return [one for one in self.of("DDATA") if one.values.get("Result/Event") is not None]

    def now(self) -> dict[str, Any]:
        """What a host shows: historical values are for its archive alone."""
        shown: dict[str, Any] = defaultdict(lambda: None)
        for one in self.heard:
            live = {k: v for k, v in one.values.items() if k not in one.historical}
            shown |= live
        return shown

    def until(self, due: Callable[["Host"], Any], what: str) -> None:
        wait_until(lambda: due(self), what)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Line:
    """A station whose heartbeats and events are written by hand; `parts` is also its log."""

    def __init__(self) -> None:
        self.beats, self._live, self._log = True, SimpleQueue[AnyHeader](), SimpleQueue[AnyHeader]()

    def part(self, header: AnyHeader, *, live: bool = True) -> None:
        self._log.put(header)
        if live:
            self._live.put(header)

    def source(self, notify: Notify, stopped: Callable[[], bool]) -> Iterator[Event]:
        due = 0.0
        while not stopped():
            if self.beats and time.monotonic() >= due:
                beat = _heartbeat(0).model_copy(update={"station": "press-4"})
                notify(Notice("heartbeat", "", beat))
                due = time.monotonic() + 0.1
            try:
                yield Event(self._live.get(timeout=0.01))
            except Empty:
                continue

    def log(self, stopped: Callable[[], bool]) -> Iterator[Event]:
        while not stopped():
            try:
                yield Event(self._log.get(timeout=0.01))
            except Empty:
                continue


class LiveNode:
    """An edge node of this process over a scripted line."""

    def __init__(self, broker: Broker, folder: Path, host: str | None = None) -> None:
        self.names, self.line = Names("plant", "press", "station-1", host), Line()
        with patch.object(sparkplug_name, "LISTEN_S", 0.3):
            deaths = DeathNumbers(folder / "bdseq")
            self.node = Node(broker.address, self.names, deaths, with_commands=True)
        self.sparkplug = Sparkplug(self.node, "press-4", {"lid": 1, "cap": 2})
        rules = Rules("free-running", 1.0, plc_silent_s=0)
        self.feed = Feed(Gate(rules), self.line.source, self.sparkplug.result, name="press-4")
        simulated = SimulatedLine(1)
        self.changes = ProductChanges({1: "lid", 2: "cap"}, simulated, lambda: simulated.product)
        self._stop = False

    def watch(self) -> None:
        self.sparkplug.watch(self.feed, self.changes, lambda: self._stop)

    def record(self) -> None:
        for event in self.line.log(lambda: self._stop):
            self.sparkplug.record(event, self.feed.age_s, 1.0, lambda: self._stop)

    def stop(self) -> None:
        self._stop = True

    def close(self) -> None:
        self.feed.close()
        self.changes.close()
        self.sparkplug.close()


def fast_names() -> Any:
    """Less listening than in a plant, where brokers are far away."""
    return patch.multiple(mqtt_name, LISTEN_S=0.3)
