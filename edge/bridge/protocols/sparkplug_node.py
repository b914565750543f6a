"""The session of a Sparkplug edge node: birth, death, numbers of messages, the primary host.

The broker publishes the death (NDEATH, the will) when the bridge vanishes. Birth and death of one
connection have the same `bdSeq`; messages are counted from the birth (`seq`, 0 to 255), so that a
host notices a gap and asks for a rebirth.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.base.epoch import now_ms
from edge.bridge.protocols.mqtt_name import NameClaim, Spoken, new_client_id
from edge.bridge.protocols.mqtt_session import Broker, Session
from edge.bridge.protocols.sparkplug_metrics import BD_SEQ, OWNER, REBIRTH
from edge.bridge.protocols.sparkplug_name import (
    NAMESPACE,
    NUMBERS,
    DeathNumbers,
    Names,
    check_free,
    owner_of,
    rebirth_request,
    taken,
)
from edge.bridge.protocols.sparkplug_payload import Sample, decode, encode

log = logging.getLogger(__name__)

ACKNOWLEDGE_S = 2.0
STUCK_S = 0.2
NO_TOPIC = f"{NAMESPACE}/draem/none"  # nobody subscribes to it


class HostState(BaseModel):
    """What a primary host says of itself; `timestamp` is the time of its connection in ms."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
    online: bool
    timestamp: int


class Node(Session):
    """One edge node at a broker; `on_command` takes (payload, kept by the broker).

    Hold `lock` from looking at `birth` to sending. Raises BridgeError where it cannot begin, and
    where another edge node has the name.
    """

    def __init__(
        self, broker: Broker, names: Names, deaths: DeathNumbers, *, with_commands: bool
    ) -> None:
        self.lock = threading.RLock()
        self.wake = threading.Event()
        self.birth = 0
        """Another number after each birth; 0 while there is none."""
        self.connection = 0
        self.on_command: Callable[[bytes, bool], None] = lambda payload, kept: None
        self._names, self._deaths, self._with_commands = names, deaths, with_commands
        self._name, self._first = NameClaim(), True
        self._online = self._rebirth = False
        self._births = self._seq = self._bd_seq = 0
        self._host_online, self._host_at = False, 0
        self._answered: set[int] = set()
        self._answering = threading.Condition()
        check_free(broker, names)
        super().__init__(broker, new_client_id(), None)

    def _prepare(self) -> None:
        self._bd_seq = self._deaths.next()
        self._client.will_set(self._names.topic("NDEATH"), self._death(), qos=1, retain=False)
        self._client.on_unsubscribe = self._unsubscribed

    def _begin(self) -> None:
        names = self._names
        with self.lock:
            self.connection += 1
            self._online, self.birth = True, 0
            self._host_online, self._host_at = False, 0
            self._name.begin(free=self._first)
        kinds = ["NCMD", "DCMD"] if self._with_commands else ["NCMD"]
        topics = [names.topic(kind) for kind in [*kinds, "NBIRTH", "NDEATH"]]
        if names.host is not None:
            topics.append(names.state_topic)
        self._client.subscribe([(topic, 1) for topic in topics])
        if not self._first:  # another node that has taken the name answers
            self._client.publish(names.topic("NCMD"), rebirth_request(), qos=0)
        self._first = False

    def _lose(self) -> None:
        with self.lock:
            self._online, self.birth = False, 0
            self._name.lose()
        with self._answering:
            self._answering.notify()

    def _receive(self, client: Any, userdata: Any, message: Any) -> None:
        topic, names = message.topic, self._names
        if topic == names.topic("NBIRTH"):
            if not message.retain:
                self._name.note(owner_of(message.payload))
        elif topic == names.topic("NDEATH"):
            if not message.retain:  # hosts may count us as dead: a birth follows
                self._name.note(Spoken("", runs=False))
        elif topic == names.topic("NCMD"):
            self._take(message.payload, kept=message.retain)
        elif topic == names.topic("DCMD") and self._name.ours:
            self.on_command(message.payload, message.retain)
        elif topic == names.state_topic:
            self._hear_host(message.payload)
        self.wake.set()

    def _take(self, payload: bytes, *, kept: bool) -> None:
        """A command to the node: rebirth is the only one."""
        try:
            written = decode(payload)
        except ValueError as error:
            log.warning("an NCMD is ignored: %s", error)
            return
        for one in written:
            if kept or one.name != REBIRTH.name or one.value is not True:
                log.warning("an NCMD is ignored: only 'Node Control/Rebirth' = true, not retained")
            else:
                self._rebirth = True

    def _hear_host(self, payload: bytes) -> None:
        """An older message than the newest of this connection is the will of an earlier session."""
        try:
            state = HostState.model_validate_json(payload)
        except ValidationError:
            log.warning("a STATE of %s is ignored: it is not Sparkplug 3's", self._names.host)
            return
        if state.timestamp >= self._host_at:
            self._host_online, self._host_at = state.online, state.timestamp

    @property
    def is_taken(self) -> bool:
        """Whether another edge node has the name."""
        return self._name.other is not None

    def raise_if_taken(self) -> None:
        """Raise BridgeError if another edge node has the name."""
        if self._name.other is not None:
            raise taken(self._names, self._name.other)

    @property
    def ours(self) -> bool:
        """Whether the device may speak."""
        return bool(self.birth) and self._name.ours

    @property
    def host_gone(self) -> bool:
        """Whether the primary host has ended while we were born."""
        return bool(self.birth) and self._names.host is not None and not self._host_online

    def keep_alive(self) -> None:
        """Publish a birth where one is due, or asked for. Call it with `lock`, often."""
        waits_for_host = self._names.host is not None and not self._host_online
        if not self._online or not self._name.may_claim or waits_for_host:
            return
        if self.birth and not self._rebirth and not self._name.repeat:
            return
        self._rebirth = self._name.repeat = False
        self._births += 1
        self.birth, self._seq, at = self._births, 0, now_ms()
        values = (BD_SEQ, self._bd_seq), (REBIRTH, False), (OWNER, self._name.owner)
        self.send("NBIRTH", [Sample(metric, value, at) for metric, value in values], birth=True)

    def send(self, kind: str, samples: Iterable[Sample] = (), *, birth: bool = False) -> None:
        """A message with the next number. Call it with `lock`."""
        seq, self._seq = self._seq, (self._seq + 1) % NUMBERS
        payload = encode(samples, now_ms(), seq, birth=birth)
        self._client.publish(self._names.topic(kind), payload, qos=0)

    def has_passed(self, connection: int, stopped: Callable[[], bool]) -> bool:
        """Wait until the broker has read all that was sent in a connection; False if it ends.

        Sparkplug's data have QoS 0, so that the broker acknowledges none. It answers in order: when
        it has answered a packet without effect, it has read what was sent before.
        """
        with self._answering:
            self._answered.clear()
        number = self._client.unsubscribe(NO_TOPIC)[1]
        with self._answering:
            while self._online and self.connection == connection and not stopped():
                if number in self._answered:
                    return True
                self._answering.wait(STUCK_S)
        return False

    def _unsubscribed(
        self, client: Any, userdata: Any, number: int, reasons: Any, properties: Any
    ) -> None:
        with self._answering:
            self._answered.add(number)
            self._answering.notify()

    def _death(self) -> bytes:
        at = now_ms()
        return encode([Sample(BD_SEQ, self._bd_seq, at)], at, None)

    def _die(self) -> None:
        """Publish the death ourselves: after a clean end the broker does not publish the will."""
        with self.lock:
            born, self.birth = bool(self.birth), 0
            if not born:
                return
            sent = self._client.publish(self._names.topic("NDEATH"), self._death(), qos=1)
        with suppress(RuntimeError):  # not connected: then it is the broker that publishes it
            sent.wait_for_publish(ACKNOWLEDGE_S)

    def leave(self) -> None:
        """The primary host is offline: cut the connection, and begin another that waits for it.

        The broker publishes the death at once, since the cut is no clean end.
        """
        log.warning("the primary host %s is offline: results wait for it", self._names.host)
        with self.lock:
            self.birth = 0
        connection: Any = self._client.socket()
        if connection is not None:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._die()
        self._end()
