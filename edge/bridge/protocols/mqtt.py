"""MQTT: the gate's results as they come, and the gapless record, to a broker (paho-mqtt).

<prefix>/<station>/state    retained, QoS 1: what the gate says now; last will: the bridge is gone
<prefix>/<station>/result   QoS 0: each verdict that came in time, for a program that drives a gate
<prefix>/<station>/command  a change of product; QoS 0, so that no broker keeps it for us
<prefix>/<station>/answer   QoS 1: what became of it
<prefix>/<station>/record   QoS 1: every event of the log, in order, without a gap, however late

A result is sent once and only while the broker is there: QoS 1 would keep it through an outage and
hand it over when it is too old for any gate. The record's cursor moves when the broker has
acknowledged; after a kill one event may come again, its `seq` tells. The two are fed by
subscriptions of their own, so a record that catches up makes no result late.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from paho.mqtt.enums import MQTTErrorCode

from edge.bridge.feed import Feed, check_station
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.mqtt_commands import Commands
from edge.bridge.protocols.mqtt_name import STATE_S, NameClaim, check_free, new_client_id, taken
from edge.bridge.protocols.mqtt_session import Broker, Session
from edge.bridge.signals import Signals, Trouble
from edge.events.event import Event, Inspection

log = logging.getLogger(__name__)

POLL_S = 0.05
STUCK_S = 0.2


class Mqtt(Session):
    """A session with a broker for one station, whose topics begin with `topic`.

    Raises BridgeError where it cannot begin, and where another bridge has the name.
    """

    def __init__(
        self, broker: Broker, topic: str, station: str, numbers: Mapping[str, int]
    ) -> None:
        self._topic, self._station, self._numbers = topic, station, numbers
        self._commands: Commands | None = None
        self._acknowledged: set[int] = set()
        self._acknowledging = threading.Condition()
        self._name, self._first = NameClaim(), True
        check_free(broker, topic)
        will = f"{topic}/state", json.dumps(state_of(None, self._name.owner))
        super().__init__(broker, new_client_id(), will)

    def _begin(self) -> None:
        self._name.begin(free=self._first)
        self._first = False
        self._client.subscribe(f"{self._topic}/state", qos=1)
        if self._commands is not None:
            self._client.subscribe(f"{self._topic}/command", qos=0)

    def _lose(self) -> None:
        self._name.lose()

    def take_commands(self, changes: ProductChanges) -> None:
        """From now on, after each connection too."""
        self._commands = Commands(changes, self._publish_answer)
        self._client.subscribe(f"{self._topic}/command", qos=0)

    def _receive(self, client: Any, userdata: Any, message: Any) -> None:
        if message.topic == f"{self._topic}/state":
            self._name.hear(message.payload)
        elif self._commands is not None and self._name.ours:
            # The session is clean: nothing was queued while we were away.
            self._commands.take(message.payload, kept=message.retain)

    def _publish_answer(self, answer: str) -> None:
        self._client.publish(f"{self._topic}/answer", answer, qos=1)

    @property
    def is_taken(self) -> bool:
        """Whether another bridge publishes under the name."""
        return self._name.other is not None

    def raise_if_taken(self) -> None:
        """Raise BridgeError if another bridge publishes under the name."""
        if self._name.other is not None:
            raise taken(self._topic, self._name.other)

    def result(self, inspection: Inspection) -> None:
        """Send a verdict that came in time, if the broker is there. Raises BridgeError."""
        self._check(inspection.station)
        if self._client.is_connected() and self._name.ours:
            number = self._numbers.get(inspection.product, 0)
            payload = inspection.model_dump(mode="json") | {"product_number": number}
            self._client.publish(f"{self._topic}/result", json.dumps(payload), qos=0)

    def record(self, event: Event, stopped: Callable[[], bool]) -> bool:
        """Publish an event and wait for its acknowledgement, however long; False when `stopped`."""
        self._check(event.header.station)
        payload = event.header.model_dump_json()
        with self._acknowledging:
            self._acknowledged.clear()  # numbers come again after 65,535 messages
        while not stopped():
            if not self._name.ours:
                time.sleep(POLL_S)
                continue
            # Without a connection paho keeps it, says so with an error, and sends it later.
            sent = self._client.publish(f"{self._topic}/record", payload, qos=1)
            if sent.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                return self._wait_for(sent.mid, stopped)
            time.sleep(POLL_S)
        return False

    def _check(self, station: str) -> None:
        """Somebody may act on these topics: they carry one station's verdicts and no other's."""
        if station != "simulated":
            check_station(station, self._station)

    def _wait_for(self, number: int, stopped: Callable[[], bool]) -> bool:
        """Until the broker has acknowledged a message; False when `stopped`."""
        with self._acknowledging:
            while number not in self._acknowledged:
                if stopped():
                    return False
                self._acknowledging.wait(STUCK_S)
        return True

    def _published(
        self, client: Any, userdata: Any, number: int, reason: Any, properties: Any
    ) -> None:
        with self._acknowledging:
            self._acknowledged.add(number)
            self._acknowledging.notify()

    def watch(self, feed: Feed, changes: ProductChanges, stopped: Callable[[], bool]) -> None:
        """Publish the gate's state when it changes, and every second; and the end of commands."""
        published: dict[str, Any] = {}
        due = 0.0
        while not stopped():
            if not self._client.is_connected() or not self._name.may_claim:
                # paho would keep it, and hand over old states one by one when the broker is back.
                published = {}
                time.sleep(POLL_S)
                continue
            if self._commands is not None:
                self._commands.turn()
            signals = feed.signals()
            state = state_of(signals, self._name.owner, self._numbers, changes.under_way)
            if state != published or self._name.repeat or time.monotonic() >= due:
                self._name.repeat = False
                self._publish_state(state)
                published, due = state, time.monotonic() + STATE_S
            time.sleep(POLL_S)

    def _publish_state(self, state: Mapping[str, Any]) -> int:
        """The message's number."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        payload = json.dumps({**state, "at": at})
        return self._client.publish(f"{self._topic}/state", payload, qos=1, retain=True).mid

    def close(self) -> None:
        # The last word is the will's: nobody can tell a clean end from a cut, nor needs to.
        if self._client.is_connected() and self._name.ours:
            last = self._publish_state(state_of(None, self._name.owner))
            end = time.monotonic() + STUCK_S
            self._wait_for(last, lambda: time.monotonic() > end)
        self._end()


def state_of(
    signals: Signals | None,
    owner: str,
    numbers: Mapping[str, int] = MappingProxyType({}),
    changing: bool = False,
) -> dict[str, Any]:
    """The retained state; without signals that of a bridge that has gone."""
    if signals is None:
        gone = {"bridge": False, "online": False, "ready": False, "trouble": "bridge_gone"}
        return gone | {"owner": owner}
    return {
        "bridge": True,
        "online": signals.online,
        "ready": signals.ready,
        "trouble": Trouble(signals.trouble).name.lower(),
        "product": signals.running,
        "product_number": numbers.get(signals.running, 0),
        "product_changing": changing,
        "counts": signals.counts,
        "owner": owner,
    }
