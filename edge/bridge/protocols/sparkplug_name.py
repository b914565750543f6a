"""The names of a Sparkplug edge node, and whether they are free at a broker."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.base.epoch import now_ms
from edge.bridge.feed import BridgeError
from edge.bridge.protocols.mqtt_name import LISTEN_S, Spoken, new_client_id
from edge.bridge.protocols.mqtt_session import Broker, Session
from edge.bridge.protocols.sparkplug_metrics import OWNER, REBIRTH
from edge.bridge.protocols.sparkplug_payload import Sample, decode, encode

log = logging.getLogger(__name__)

NAMESPACE = "spBv1.0"
LONGEST_BIRTH = 1_000_000  # bytes: it may be that of another program
NUMBERS = 256  # of messages, and of deaths: 0 to 255


@dataclass(frozen=True)
class Names:
    """The edge node is this bridge, its device the station; `host` is the primary host, if any."""

    group: str
    node: str
    device: str
    host: str | None = None

    def topic(self, kind: str) -> str:
        """Of a message such as NBIRTH or DDATA."""
        of_node = f"{NAMESPACE}/{self.group}/{kind}/{self.node}"
        return f"{of_node}/{self.device}" if kind.startswith("D") else of_node

    @property
    def state_topic(self) -> str:
        """Where the primary host says whether it is online."""
        return f"{NAMESPACE}/STATE/{self.host}"


def rebirth_request() -> bytes:
    """What a host sends to learn all metrics anew."""
    at = now_ms()
    return encode([Sample(REBIRTH, True, at)], at, None)


def owner_of(birth: bytes) -> Spoken:
    """Which bridge has published an NBIRTH; what is no payload comes from none."""
    try:
        metrics = decode(birth, LONGEST_BIRTH)
    except ValueError as error:
        log.warning("an NBIRTH under our name is ignored: %s", error)
        return Spoken("", runs=False)
    owner = next((str(one.value) for one in metrics if one.name == OWNER.name), "unknown")
    return Spoken(owner, runs=True)


def taken(names: Names, owner: str) -> BridgeError:
    """The error of a bridge that finds another edge node under its name."""
    return BridgeError(
        f"the Sparkplug node {names.group}/{names.node} is taken at this broker by {owner}: "
        f"stop that one, or choose another with --sparkplug {names.group}/NODE"
    )


def check_free(broker: Broker, names: Names) -> None:
    """Return when no edge node answers to a rebirth request under the name; else BridgeError."""
    with _Question(broker, names) as question:
        if question.answered.wait(LISTEN_S):
            raise taken(names, question.owner)


class _Question(Session):
    """Asks for a rebirth, as a host would, and hears who answers."""

    def __init__(self, broker: Broker, names: Names) -> None:
        self._names, self.owner, self.answered = names, "", threading.Event()
        super().__init__(broker, new_client_id(), None)

    def _begin(self) -> None:
        self._client.subscribe(self._names.topic("NBIRTH"), qos=0)
        self._client.publish(self._names.topic("NCMD"), rebirth_request(), qos=0)

    def _receive(self, client: Any, userdata: Any, message: Any) -> None:
        said = owner_of(message.payload)
        if said.runs and not message.retain:
            self.owner = said.owner
            self.answered.set()


class DeathNumbers:
    """`bdSeq`: one number for each connection, which says whose birth a death ends.

    It goes on after a restart of the program: the will of a killed bridge may be published after
    the birth of the next one, and must not end that. Raises BridgeError for a file that has none.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, -1
        if path.exists():
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            if not text.isdecimal() or not text.isascii() or int(text) >= NUMBERS:
                raise BridgeError(f"{path} has no number from 0 to 255: delete it")
            self._last = int(text)

    def next(self) -> int:
        """The next number, which is kept before it is used."""
        self._last = (self._last + 1) % NUMBERS
        temporary = self._path.with_name(f".{self._path.name}.part")
        try:
            temporary.write_text(f"{self._last}\n", encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:  # called by the thread of the connection, which must go on
            log.warning("%s cannot be written (%s): make room", self._path, error.strerror)
        return self._last
