"""MQTT: what a subscriber hears from a broker that is paho's client in this process."""

import json
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import paho.mqtt.client as paho

from edge.bridge.feed import Feed
from edge.bridge.protocols import mqtt, mqtt_name, mqtt_session
from edge.bridge.signals import Inputs, Trouble
from edge.events.event import Inspection
from tests.support.bridge.gate_model import Clock
from tests.support.bridge.wires.wire import NAMES, PRODUCTS, View, Wire

TOPIC = "draem/press-4"


class Mqtt(Wire):
    sends = loses_connection = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.retained: dict[str, str] = {}
        self._connection: _Client | None = None
        for module in (mqtt, mqtt_name):
            self.patches.enter_context(patch.object(module, "time", clock))
        self.patches.enter_context(patch.object(mqtt, "check_free", lambda *_: None))
        self.patches.enter_context(patch.object(paho, "Client", self._client))

    def _client(self, *_: Any, **__: Any) -> "_Client":
        self._connection = made = _Client(self)
        return made

    def start(self, feed: Feed) -> list[Inputs]:
        super().start(feed)
        if self._connection is not None:
            self._connection.vanish()  # the one before was killed, if it has not ended
        broker = mqtt_session.Broker("127.0.0.1", 1883)
        self._bridge = mqtt.Mqtt(broker, TOPIC, "press-4", PRODUCTS)
        self._states = 0
        self.look()
        return []

    def in_time(self, inspection: Inspection) -> None:
        self._bridge.result(inspection)

    def heard(self, topic: str, payload: str) -> None:
        """By the subscriber."""
        if topic == f"{TOPIC}/state":
            self._states += 1
        elif topic == f"{TOPIC}/result":
            found = json.loads(payload)
            assert found["trigger_id"] == found["inspection_id"] + 1000
            assert found["product_number"] == PRODUCTS[found["product"]]
            self.messages.append((found["inspection_id"], found["verdict"]))

    def look(self) -> View | None:
        turns, before = iter([False, True]), self._states
        changes: Any = SimpleNamespace(under_way=False)
        self._bridge.watch(self.feed, changes, lambda: next(turns))
        found = json.loads(self.retained[f"{TOPIC}/state"])
        if not found["bridge"] or self._states == before:
            return None
        return {
            "online": found["online"],
            "ready": found["ready"],
            "trouble": int(Trouble[found["trouble"].upper()]),
            "running": NAMES[found["product_number"]],
            "counts": found["counts"],
        }

    def lose_connection(self) -> None:
        assert self._connection is not None
        self._connection.cut()

    def find_connection(self) -> None:
        assert self._connection is not None
        self._connection.begin()

    def end(self) -> None:
        self._bridge.close()

    def reads_ok(self) -> bool:
        state = json.loads(self.retained[f"{TOPIC}/state"])
        return bool(state["bridge"] or state["online"] or state["ready"])


class _Client:
    """paho's client with a broker behind it, which keeps what is retained."""

    on_connect: Any
    on_disconnect: Any
    on_subscribe: Any
    on_message: Any
    on_publish: Any
    on_socket_open: Any

    def __init__(self, wire: Mqtt) -> None:
        self._wire, self._up, self._number = wire, False, 0
        self._topics: set[str] = set()
        self._will: tuple[str, str] = "", ""

    def reconnect_delay_set(self, max_delay: float) -> None: ...

    def will_set(self, topic: str, payload: str, qos: int, retain: bool) -> None:
        self._will = topic, payload

    def connect(self, host: str, port: int, keepalive: int) -> None: ...

    def loop_start(self) -> None:
        self.begin()

    def loop_stop(self) -> None: ...

    def begin(self) -> None:
        self._up = True
        self.on_connect(self, None, None, _Reason(False), None)

    def vanish(self) -> None:
        """The broker publishes the will of a client that is cut off without a word."""
        if self._up:
            topic, payload = self._will
            self._wire.retained[topic] = payload
        self._up = False
        self._topics.clear()

    def cut(self) -> None:
        self.vanish()
        self.on_disconnect(self, None, None, _Reason(True), None)

    def disconnect(self) -> None:
        self._up = False

    def is_connected(self) -> bool:
        return self._up

    def subscribe(self, topic: str, qos: int) -> None:
        assert self._up
        self._topics.add(topic)
        if topic in self._wire.retained:
            self._deliver(topic, self._wire.retained[topic], retain=True)

    def publish(self, topic: str, payload: str, qos: int, retain: bool = False) -> Any:
        assert self._up, "paho would keep it"
        self._number += 1
        if retain:
            self._wire.retained[topic] = payload
        self._wire.heard(topic, payload)
        if topic in self._topics:
            self._deliver(topic, payload, retain=False)
        self.on_publish(self, None, self._number, None, None)
        return SimpleNamespace(mid=self._number, rc=0)

    def _deliver(self, topic: str, payload: str, *, retain: bool) -> None:
        message = SimpleNamespace(topic=topic, payload=payload.encode(), retain=retain)
        self.on_message(self, None, cast(Any, message))


class _Reason:
    def __init__(self, failure: bool) -> None:
        self.is_failure = failure

    def __str__(self) -> str:
        return "cut"
