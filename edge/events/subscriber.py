"""The receiving side: events in order and without a gap, whatever was lost on the way.

Live events come from the publisher. What is missing between two of them, and what a late start, a
restart or a full queue has swallowed, is asked for from the log (`edge.events.client`). Heartbeats
show that the last event was lost, and their absence that the line hangs or has ended.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq

from edge.base.errors import PublishError
from edge.events.client import Cursor, NoAnswer, RequestClient, connect, service_endpoint
from edge.events.cursors import Role
from edge.events.event import Event, EventError, Heartbeat, decode_live
from edge.events.keys import Credentials
from edge.events.notices import Notice, Notify, log_once

log = logging.getLogger(__name__)

POLL_MS = 100
HIGH_WATER_MARK = 100_000
HEARTBEAT_MS = 1000
QUIET_S = 1.0  # after so long without any message the log is asked whether one was missed
RECONNECT_S = 5.0
UNANSWERED_S = 10.0
STALE_S = 2.0  # so long without any message is a line that is hung, gone or cut off
ACKNOWLEDGE_S = 1.0


@dataclass(frozen=True)
class Acknowledging:
    """Under which name, and as what, the cursor is acknowledged to the log."""

    name: str
    role: Role = "watch"


def live(
    endpoint: str,
    stopped: Callable[[], bool] = lambda: False,
    credentials: Credentials | None = None,
) -> Iterator[Event | Heartbeat | None]:
    """Messages as they are published, and None for each tenth of a second without one.

    What is no event is logged with its reason. Raises PublishError for an address that cannot be
    used.
    """
    with zmq.Context() as context:
        while not stopped():
            yield from _until_silent(context, endpoint, stopped, credentials)


def _until_silent(
    context: "zmq.Context[zmq.Socket[bytes]]",
    endpoint: str,
    stopped: Callable[[], bool],
    credentials: Credentials | None,
) -> Iterator[Event | Heartbeat | None]:
    """One connection: ZeroMQ never tries again where a key was refused, so silence ends it."""
    with context.socket(zmq.SUB) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVHWM, HIGH_WATER_MARK)
        socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        connect(socket, endpoint, "--endpoint", credentials)
        socket.subscribe(b"")
        heard = time.monotonic()
        while not stopped() and time.monotonic() < heard + RECONNECT_S:
            if not socket.poll(POLL_MS):
                yield None
                continue
            try:
                yield decode_live(socket.recv_multipart())
            except EventError as error:
                log.warning("left out a message: %s", error)
            heard = time.monotonic()


def events(
    endpoint: str,
    cursor_file: Path | None = None,
    *,
    replay: str | None = None,
    acknowledging: Acknowledging | None = None,
    credentials: Credentials | None = None,
    notify: Notify | None = None,
    stopped: Callable[[], bool] = lambda: False,
    newest: int | None = None,
) -> Iterator[Event]:
    """Every event once and in order, until `stopped()`.

    With a `cursor_file` it goes on after the last event that was dealt with (an event counts as
    dealt with when the next one is asked for), from the log's first where there is no file yet;
    without one it begins with the present. `replay` is where the log answers, by default beside
    `endpoint`. With `acknowledging` the log learns how far it came, and keeps the rest for a
    bridge. While the log cannot be asked nothing is skipped: it is asked again. Whoever needs the
    present alone says how many of the `newest` events to ask for; older ones are `skipped`.
    Notices are logged unless `notify` takes them.
    Raises PublishError for an address that cannot be used.
    """
    notify = notify or log_once()
    place = read_cursor(cursor_file)
    watch = _Watch(notify)
    option = "--replay" if replay else "--endpoint"
    with RequestClient(replay or service_endpoint(endpoint), credentials, option) as asking:
        acknowledge = _every_second(acknowledging, asking)
        for message in live(endpoint, stopped, credentials):
            watch.see(message)
            place = place or _begin(message, cursor_file is not None)
            place = _recent(place, message, newest, notify)
            try:
                for found in _up_to(message, place, asking, watch, quietly=newest is None):
                    if isinstance(found, Cursor):
                        place = found
                        if newest is not None:
                            break  # the next message says how much of it is recent
                        continue
                    yield found
                    place = Cursor(found.header.stream_id, found.header.seq)
                    write_cursor(cursor_file, place)
                    acknowledge(place)
                acknowledge(place)
            except NoAnswer as error:
                notify(Notice("unanswered", f"events cannot be asked for ({error}): trying again"))


def _every_second(
    acknowledging: Acknowledging | None, asking: RequestClient
) -> Callable[[Cursor | None], None]:
    """Tell the log where this subscriber is: also that it is still there."""
    due = 0.0

    def acknowledge(place: Cursor | None) -> None:
        nonlocal due
        if acknowledging and place and place.stream_id and time.monotonic() >= due:
            try:
                asking.acknowledge(acknowledging.name, acknowledging.role, place)
            except NoAnswer:
                due = time.monotonic() + UNANSWERED_S  # live events must not wait for this
                raise
            due = time.monotonic() + ACKNOWLEDGE_S

    return acknowledge


class _Watch:
    """Notices what the messages themselves do not tell: silence, and its end."""

    def __init__(self, notify: Notify) -> None:
        self.notify = notify
        self._heard = self._asked = time.monotonic()
        self._stale = False

    def see(self, message: Event | Heartbeat | None) -> None:
        now = time.monotonic()
        if message is None:
            if not self._stale and now - self._heard > STALE_S:
                self._stale = True
                text = f"no sign of the line for {STALE_S:g} s: it is hung, down or cut off"
                self.notify(Notice("stale", text))
            return
        self._heard = now
        if self._stale:
            self._stale = False
            self.notify(Notice("back", "the line is back"))
        if isinstance(message, Heartbeat):
            text = f"the line is {message.state} {message.message}".strip()
            self.notify(Notice("heartbeat", text, message))

    def quiet(self) -> bool:
        """Once a second while nothing comes."""
        now = time.monotonic()
        if now - max(self._heard, self._asked) < QUIET_S:
            return False
        self._asked = now
        return True


def _begin(message: Event | Heartbeat | None, from_the_first: bool) -> Cursor | None:
    """Where to begin without a cursor: before this live event, or before the log's first."""
    if from_the_first:
        return Cursor("", 0)
    if isinstance(message, Heartbeat):
        return Cursor(message.stream_id, message.head)
    if message is None:
        return None
    return Cursor(message.header.stream_id, message.header.seq - 1)


def _recent(
    place: Cursor | None, message: Event | Heartbeat | None, newest: int | None, notify: Notify
) -> Cursor | None:
    """`place`, or so near to the head that no more than `newest` events have to be asked for."""
    if place is None or message is None or newest is None:
        return place
    stream_id, head = _head(message)
    if stream_id != place.stream_id or head - place.seq <= newest:
        return place
    notify(Notice("skipped", f"events {place.seq + 1} to {head - newest} are left in the log"))
    return Cursor(stream_id, head - newest)


def _up_to(
    message: Event | Heartbeat | None,
    place: Cursor | None,
    asking: RequestClient,
    watch: _Watch,
    *,
    quietly: bool,
) -> Iterator[Event | Cursor]:
    """What comes after `place`: the live event itself where it is the next, else from the log.

    With `quietly` the log is asked in a silence too.
    """
    if place is None:
        return
    if message is None:
        if quietly and watch.quiet():
            yield from asking.after(place, watch.notify)
        return
    stream_id, head = _head(message)
    went_back = isinstance(message, Heartbeat) and head < place.seq
    if stream_id == place.stream_id and head <= place.seq and not went_back:
        if isinstance(message, Event):
            watch.notify(Notice("repeat", f"event {head} came again"))
        return
    if isinstance(message, Event) and (stream_id, head) == (place.stream_id, place.seq + 1):
        yield message
        return
    if stream_id == place.stream_id and not went_back:
        watch.notify(Notice("gap", f"events {place.seq + 1} to {head} are asked for"))
    yield from asking.after(place, watch.notify)


def _head(message: Event | Heartbeat) -> tuple[str, int]:
    """The stream of a message, and the newest event that it betrays."""
    if isinstance(message, Heartbeat):
        return message.stream_id, message.head
    return message.header.stream_id, message.header.seq


def read_cursor(path: Path | None) -> Cursor | None:
    """The kept cursor, None where there is none yet. Raises PublishError for another file."""
    if path is None or not path.exists():
        return None
    try:
        return Cursor(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise PublishError(
            f"{path} is no cursor: remove it to begin with the log's first event"
        ) from error


def write_cursor(path: Path | None, cursor: Cursor) -> None:
    """By rename, so that a kill at any moment leaves this one or the one before."""
    if path is None:
        return
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(asdict(cursor)), encoding="utf-8")
    temporary.replace(path)
