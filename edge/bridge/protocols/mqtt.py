"""MQTT: the gate's results as they come, and the gapless record, to a broker (paho-mqtt).

draem/<station>/state    retained, QoS 1: what the gate says now; the last will: the bridge is gone
draem/<station>/result   QoS 0: each verdict that came in time, for whoever drives a gate
draem/<station>/command  a change of product; QoS 0, so that no broker keeps it for us
draem/<station>/answer   QoS 1: what became of it
draem/<station>/record   QoS 1: every event of the log, in order, without a gap, however late

A result is sent once and only while the broker is there: QoS 1 would keep it through an outage and
hand it over when it is too old for any gate. The record's cursor moves when the broker has
acknowledged; after a kill one event may come again, its `seq` tells. The two are fed by
subscriptions of their own, so a record that catches up makes no result late.
"""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edge.base.closeable import Closeable
from edge.bridge.feed import BridgeError, Feed
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.mqtt_commands import Commands
from edge.bridge.signals import Signals, Trouble
from edge.bridge.tcp import drop_stale_data
from edge.events.event import Event, Inspection

log = logging.getLogger(__name__)

STATE_S = 1.0  # the state is told again so often, and at once when it changes
POLL_S = 0.05
KEEPALIVE_S = 5
CONNECT_S = 10
STUCK_S = 0.2
RECONNECT_S = 5


@dataclass(frozen=True)
class Broker:
    """Where the broker is and how it is spoken to. Without `ca` in the clear.

    `ours` are our own certificate and its key, `login` user and password, for a broker that asks.
    """

    host: str
    port: int
    ca: Path | None = None
    ours: tuple[Path, Path] | None = None
    login: tuple[str, str] | None = None


def encryption(ca: Path, ours: tuple[Path, Path] | None) -> ssl.SSLContext:
    """Trusts what `ca` has signed, and nothing else. Raises BridgeError for files that are none."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise BridgeError(f"{ca} is no certificate in PEM ({error}): correct --ca") from error
    if ours is None:
        return context
    try:
        # An empty password: otherwise OpenSSL would ask for one at the terminal.
        context.load_cert_chain(*ours, password="")
    except ssl.SSLError as error:
        raise BridgeError(
            f"{ours[0]} and {ours[1]} are no certificate and its key ({error}): they must be PEM, "
            "belong together, and the key must have no password"
        ) from error
    return context


class Mqtt(Closeable):
    """A session with a broker for one station. Raises BridgeError where it cannot begin."""

    def __init__(self, broker: Broker, station: str, numbers: Mapping[str, int]) -> None:
        self._station, self._topic, self._numbers = station, f"draem/{station}", numbers
        self._commands: Commands | None = None
        self._subscribed_now = False  # the subscription of this connection stands
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"draem-{station}", clean_session=False
        )
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_publish = self._published
        client.on_subscribe, client.on_message = self._subscribed, self._receive
        client.on_socket_open = lambda client, userdata, opened: drop_stale_data(opened)
        client.reconnect_delay_set(max_delay=RECONNECT_S)
        self._refused: str | None = None
        self._up = threading.Event()
        self._acknowledged: set[int] = set()
        self._acknowledging = threading.Condition()
        client.will_set(f"{self._topic}/state", state_of(None), qos=1, retain=True)
        if broker.login is not None:
            client.username_pw_set(*broker.login)
        if broker.ca is not None:
            client.tls_set_context(encryption(broker.ca, broker.ours))
        try:
            client.connect(broker.host, broker.port, keepalive=KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise BridgeError(
                f"the broker at {broker.host}:{broker.port} cannot be reached ({error}): start it, "
                "or correct --broker and --ca"
            ) from error
        client.loop_start()
        if not self._up.wait(CONNECT_S) or self._refused:
            self.close()
            why = self._refused or "it does not answer"
            raise BridgeError(f"the broker at {broker.host}:{broker.port} refuses us ({why})")

    def _connected(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        self._refused = str(reason) if reason.is_failure else None
        self._subscribed_now = False
        self._up.set()
        if self._commands is not None:
            self._client.subscribe(f"{self._topic}/command", qos=0)

    def take_commands(self, changes: ProductChanges) -> None:
        """From now on, after each connection too."""
        self._commands = Commands(changes, self._publish_answer)
        self._client.subscribe(f"{self._topic}/command", qos=0)

    def _subscribed(
        self, client: Any, userdata: Any, number: int, reasons: Any, properties: Any
    ) -> None:
        self._subscribed_now = True
        if any(reason.is_failure for reason in reasons):
            log.warning("the broker lets nobody command us: may we read %s/command?", self._topic)

    def _receive(self, client: Any, userdata: Any, message: Any) -> None:
        if self._commands is not None:
            # What comes before our subscription stands was queued while we were away.
            kept = message.retain or not self._subscribed_now
            self._commands.take(message.payload, kept=kept)

    def _publish_answer(self, answer: str) -> None:
        self._client.publish(f"{self._topic}/answer", answer, qos=1)

    def _disconnected(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if not self._up.is_set():
            self._refused = "it ends the connection: does it want --ca, --client-cert or --login?"
            self._up.set()
        elif reason.is_failure:
            log.warning("the broker has gone (%s): connecting again", reason)

    def result(self, inspection: Inspection) -> None:
        """Send a verdict that came in time, if the broker is there. Raises BridgeError."""
        self._check(inspection.station)
        if self._client.is_connected():
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
            # Without a connection paho keeps it, says so with an error, and sends it later.
            sent = self._client.publish(f"{self._topic}/record", payload, qos=1)
            if sent.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                return self._wait_for(sent.mid, stopped)
            time.sleep(POLL_S)
        return False

    def _check(self, station: str) -> None:
        """Somebody may act on these topics: they carry one station's verdicts and no other's."""
        if station not in (self._station, "simulated"):
            raise BridgeError(
                f"these are the events of '{station}', not of '{self._station}': correct --station "
                "or --endpoint"
            )

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
        """Tell the gate's state when it changes, and every second; and what became of commands."""
        published, due = "", 0.0
        while not stopped():
            if not self._client.is_connected():
                # paho would keep it, and hand over old states one by one when the broker is back.
                published = ""
                time.sleep(POLL_S)
                continue
            if self._commands is not None:
                self._commands.turn()
            state = state_of(feed.signals(), self._numbers, changes.under_way)
            if state != published or time.monotonic() >= due:
                self._client.publish(f"{self._topic}/state", state, qos=1, retain=True)
                published, due = state, time.monotonic() + STATE_S
            time.sleep(POLL_S)

    def close(self) -> None:
        # The last word is the will's: nobody can tell a clean end from a cut, nor needs to.
        if self._client.is_connected():
            last = self._client.publish(f"{self._topic}/state", state_of(None), qos=1, retain=True)
            end = time.monotonic() + STUCK_S
            self._wait_for(last.mid, lambda: time.monotonic() > end)
        self._client.disconnect()
        self._client.loop_stop()


def state_of(
    signals: Signals | None,
    numbers: Mapping[str, int] = MappingProxyType({}),
    changing: bool = False,
) -> str:
    """The retained state; None is a bridge that has gone."""
    if signals is None:
        return json.dumps(
            {"bridge": False, "online": False, "ready": False, "trouble": "bridge_gone"}
        )
    return json.dumps({
        "bridge": True,
        "online": signals.online,
        "ready": signals.ready,
        "trouble": Trouble(signals.trouble).name.lower(),
        "product": signals.running,
        "product_number": numbers.get(signals.running, 0),
        "product_changing": changing,
        "counts": signals.counts,
    })  # fmt: skip
