"""Whose a station's name is at a broker: two bridges never publish under one name.

The retained state says which bridge publishes it, and comes every second. A bridge that starts
listens first, on a connection without a will, so that nothing of it reaches the topics of another;
it refuses to start where another one publishes. After each reconnection it listens again before it
publishes. A bridge counts as the owner when the broker has passed its own state back, before that
of any other: the broker's order is the same for all.
"""

import json
import math
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from edge.bridge.feed import BridgeError
from edge.bridge.protocols.mqtt_session import KEEPALIVE_S, Broker, Session

STATE_S = 1.0  # a bridge publishes its state so often
LISTEN_S = 1.5 * STATE_S
WILL_S = 2.0 * KEEPALIVE_S  # by then the broker has published the will of one that has vanished


def new_owner() -> str:
    """A name for this process: machine, process id and a number that no other has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def new_client_id() -> str:
    """At most 23 characters, as MQTT 3.1.1 says."""
    return f"draem-{secrets.token_hex(8)}"


@dataclass(frozen=True)
class Spoken:
    """What a state says of its bridge; an older version of this program names no owner."""

    owner: str
    runs: bool


def spoken(payload: bytes) -> Spoken:
    """From the JSON of a state; what is none is no bridge."""
    try:
        state: Any = json.loads(payload)
        return Spoken(str(state.get("owner", "unknown")), state.get("bridge") is True)
    except (ValueError, AttributeError, RecursionError):
        return Spoken("", runs=False)


def check_free(broker: Broker, topic: str) -> None:
    """Return when no bridge publishes under `topic`. Raises BridgeError where one does."""
    with _Listener(broker, topic) as listener:
        listener.known.wait(LISTEN_S)
        if listener.kept and not listener.known.is_set():
            # Its bridge may have vanished: then its will comes soon, and no newer state.
            listener.known.wait(WILL_S)
        if listener.owner is not None:
            raise taken(topic, listener.owner)


def taken(topic: str, owner: str) -> BridgeError:
    """The error of a bridge that finds another one under its name."""
    return BridgeError(
        f"the name {topic} is taken at this broker by the bridge {owner}: stop that one, or give "
        "this station another --station or --topic-prefix"
    )


class _Listener(Session):
    """Hears the state without saying anything: `owner` is right once `known` is set."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._topic, self.known, self.kept = topic, threading.Event(), False
        self.owner: str | None = None
        super().__init__(broker, new_client_id(), None)

    def _begin(self) -> None:
        self._client.subscribe(f"{self._topic}/state", qos=1)

    def _receive(self, client: Any, userdata: Any, message: Any) -> None:
        said = spoken(message.payload)
        if said.runs and message.retain:
            self.kept = True
        else:
            self.owner = said.owner if said.runs else None
            self.known.set()


@dataclass
class NameClaim:
    """Whether the name is ours, from the states that come; `hear` is called by paho's thread."""

    owner: str = field(default_factory=new_owner)
    other: str | None = None
    """Another bridge publishes under the name: this one must end."""
    repeat: bool = False
    """Another has spoken, and has seen that the name is ours: our state must be published again."""
    _free: bool = True
    _ours: bool = False
    _since: float = 0.0
    _once: tuple[str | None, float] = None, 0.0  # who spoke though the name is ours, since when

    def begin(self, *, free: bool) -> None:
        """A connection begins; `free` if it is known that nobody else has the name."""
        self._free, self._ours, self._since = free, False, time.monotonic()

    def lose(self) -> None:
        """The connection has ended: nothing is published before the next one has listened."""
        self._free, self._ours, self._since = False, False, math.inf

    def hear(self, payload: bytes) -> None:
        """A state under our name."""
        self.note(spoken(payload))

    def note(self, said: Spoken) -> None:
        """What a bridge under our name has said of itself."""
        if said.owner == self.owner:
            self._free = True
            self._ours = self._ours or said.runs
        elif not said.runs:
            self._free = self.repeat = True
        elif not self._ours or self._goes_on(said.owner):
            self.other = said.owner
        else:
            self.repeat = True

    def _goes_on(self, owner: str) -> bool:
        """Whether another bridge still speaks though it can know that the name is ours.

        What it had in its queue when it was cut off comes once, at its return.
        """
        now = time.monotonic()
        if owner != self._once[0]:
            self._once = owner, now
        return now > self._once[1] + STATE_S / 2

    @property
    def may_claim(self) -> bool:
        """Whether our state may be published."""
        listened = time.monotonic() > self._since + LISTEN_S
        return self.other is None and (self._free or listened)

    @property
    def ours(self) -> bool:
        """Whether everything else may be published too.

        A broker that lets us read nothing passes no state back: then only time shows it.
        """
        waited = time.monotonic() > self._since + 2 * LISTEN_S
        return self.other is None and (self._ours or waited)
