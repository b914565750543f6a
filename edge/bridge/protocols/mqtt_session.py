"""A session with an MQTT broker: encryption, login, client id, reconnecting (paho-mqtt)."""

import logging
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.base.closeable import Closeable
from edge.bridge.feed import BridgeError
from edge.bridge.tcp import drop_stale_data

log = logging.getLogger(__name__)

KEEPALIVE_S = 5
CONNECT_S = 10
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


def _prepare_socket(opened: Any) -> None:
    drop_stale_data(opened)
    # Otherwise the second of two short messages waits for the acknowledgement of the first: 40 ms.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Session(Closeable):
    """A session under a client id of its own, reconnecting for ever; the broker keeps nothing.

    An id that two bridges share would make each throw the other out. Raises BridgeError where the
    session cannot begin.
    """

    def __init__(self, broker: Broker, client_id: str, will: tuple[str, str] | None) -> None:
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_subscribe, client.on_message = self._subscribed, self._receive
        client.on_publish = self._published
        client.on_pre_connect = lambda client, userdata: self._prepare()
        client.on_socket_open = lambda client, userdata, opened: _prepare_socket(opened)
        client.reconnect_delay_set(max_delay=RECONNECT_S)
        self._refused: str | None = None
        self._up = threading.Event()
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
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
            self._end()
            why = self._refused or "it does not answer"
            raise BridgeError(f"the broker at {broker.host}:{broker.port} refuses us ({why})")

    def _prepare(self) -> None:
        """Each connection is about to be made: the time to set another will. Must not raise."""

    def _connected(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        self._refused = str(reason) if reason.is_failure else None
        self._begin()
        self._up.set()

    def _begin(self) -> None:
        """Each connection begins: subscribe."""

    def _lose(self) -> None:
        """A connection has ended."""

    def _subscribed(
        self, client: Any, userdata: Any, number: int, reasons: Any, properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.warning("the broker refuses a subscription: may we read our own topics?")

    def _receive(self, client: Any, userdata: Any, message: Any) -> None:
        """A message of a topic that is subscribed."""

    def _published(
        self, client: Any, userdata: Any, number: int, reason: Any, properties: Any
    ) -> None:
        """The broker has acknowledged a message."""

    def _disconnected(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        self._lose()
        if not self._up.is_set():
            self._refused = "it ends the connection: does it want --ca, --client-cert or --login?"
            self._up.set()
        elif reason.is_failure:
            log.warning("the connection to the broker is lost (%s): connecting again", reason)

    def _end(self) -> None:
        """A clean end: the broker does not publish the will."""
        self._client.disconnect()
        self._client.loop_stop()

    def close(self) -> None:
        self._end()
