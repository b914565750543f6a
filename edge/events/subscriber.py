"""A subscriber that receives every event once and in order.

Live events come from the publisher. Those that are missing (after a late start, a restart, or when
a queue was full) are requested from the log (`edge.events.client`). A heartbeat shows that the last
event was missed; no heartbeat shows that the line hangs or has ended.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.events.client import ANSWER_MS, NoAnswer, RequestClient, service_endpoint
from edge.events.cursor_file import Cursor, read_cursor, write_cursor
from edge.events.cursors import Role
from edge.events.event import Event, Heartbeat
from edge.events.keys import Credentials
from edge.events.notices import Notice, Notify, log_once
from edge.events.receiver import live

QUIET_S = 1.0  # after so long without a message the log is asked whether one was missed
STALE_S = 2.0  # after so long without a message the line counts as down
ACKNOWLEDGE_S = 1.0
UNANSWERED_S = 10.0  # until the next acknowledgement is tried


@dataclass(frozen=True)
class Acknowledging:
    """Name and role with which the cursor is acknowledged to the log.

    `processed` gives it for a subscriber that processes events later than they are delivered.
    """

    name: str
    role: Role = "watch"
    processed: Callable[[], Cursor] | None = None


Resume = Callable[[RequestClient, Cursor], Cursor]
"""(log, cursor) -> where to go on. Raises NoAnswer."""


def events(
    endpoint: str,
    begin: Path | Cursor | None = None,
    *,
    replay: str | None = None,
    acknowledging: Acknowledging | None = None,
    credentials: Credentials | None = None,
    notify: Notify | None = None,
    stopped: Callable[[], bool] = lambda: False,
    newest: int | None = None,
    resume: Resume | None = None,
) -> Iterator[Event]:
    """Every event once and in order, until `stopped()`.

    It begins after the event `begin`, or with the next live event. A path is a file with a cursor:
    it continues after the last event that was processed (an event counts as processed when the
    next one is requested), or begins with the first of the log. `replay` is the address of the log,
    by default that beside `endpoint`. With `acknowledging` the log learns the cursor, and keeps
    what a bridge has yet to process. While the log does not answer, no event is skipped: the
    request is repeated. With `newest` at most so many events are requested; older ones are
    `skipped`. `resume` gives the cursor to go on from, at the begin and whenever the station may
    have been started with another copy of its log. Notices are logged unless `notify` takes them.
    Raises PublishError for an address that cannot be used.
    """
    option = "--replay" if replay else "--endpoint"
    address = replay or service_endpoint(endpoint)
    with RequestClient(address, credentials, option, ANSWER_MS) as client:
        told = notify or log_once()
        subscription = _Subscription(client, told, begin, newest, acknowledging, resume)
        for message in live(endpoint, stopped, credentials):
            yield from subscription.receive(message)


class _Subscription:
    """Completes the live messages to the events from the cursor on."""

    def __init__(
        self,
        client: RequestClient,
        notify: Notify,
        begin: Path | Cursor | None,
        newest: int | None,
        acknowledging: Acknowledging | None,
        resume: Resume | None,
    ) -> None:
        self._resume, self._resume_due = resume, resume is not None
        self._client, self._notify, self._acknowledging = client, notify, acknowledging
        file = begin if isinstance(begin, Path) else None
        self._cursor_file, self._newest = file, newest
        self._cursor = begin if isinstance(begin, Cursor) else read_cursor(file)
        if self._cursor is None and file is not None:
            self._cursor = Cursor("", 0)
        self._silence = _Silence(notify, with_key=client.with_key)
        self._acknowledge_at = 0.0
        self._unanswered = False

    def receive(self, message: Event | Heartbeat | None) -> Iterator[Event]:
        """The events up to a message, in order."""
        if self._silence.observe(message) and self._resume:
            self._resume_due = True
        if message is not None:
            self._begin(message)
        try:
            if message is not None and self._cursor is not None:
                self._cursor = self._checked(self._cursor)
            for found in self._up_to(message):
                if isinstance(found, Cursor):
                    if self._resume and self._cursor and found.seq > 0:
                        self._resume_due = True  # at the next message
                        break
                    self._cursor = found
                    if self._newest is not None:
                        break  # the next message shows which events are recent
                    continue
                yield found
                self._cursor = Cursor(found.header.stream_id, found.header.seq)
                write_cursor(self._cursor_file, self._cursor)
                self._acknowledge()
            if message is not None and self._unanswered:
                self._unanswered = False
                self._notify(Notice("answered", "the log answers again"))
            self._acknowledge()
        except NoAnswer as error:
            self._unanswered = True
            text = f"the log does not answer ({error}): the request is repeated"
            self._notify(Notice("unanswered", text))

    def _checked(self, cursor: Cursor) -> Cursor:
        """The cursor, or an earlier one where the log is another copy now. Raises NoAnswer."""
        if self._resume is None or not self._resume_due:
            return cursor
        found = self._resume(self._client, cursor)
        self._resume_due = self._silence.stale  # until it is back, the log may be replaced
        if found != cursor:
            text = f"the log was restored: it is read again after event {found.seq}"
            self._notify(Notice("new-stream", text))
        return found

    def _begin(self, message: Event | Heartbeat) -> None:
        """Begin with the present, if there is no cursor; leave out what is not recent."""
        stream_id, head = _head(message)
        if self._cursor is None:
            self._cursor = Cursor(stream_id, head - 1 if isinstance(message, Event) else head)
        oldest = head - self._newest if self._newest is not None else 0
        if stream_id == self._cursor.stream_id and self._cursor.seq < oldest:
            text = f"events {self._cursor.seq + 1} to {oldest} are skipped: they are too old"
            self._notify(Notice("skipped", text))
            self._cursor = Cursor(stream_id, oldest)

    def _up_to(self, message: Event | Heartbeat | None) -> Iterator[Event | Cursor]:
        """What follows the cursor: the live event itself if it is the next, else from the log."""
        cursor = self._cursor
        if cursor is None:
            return
        if message is None:
            if self._newest is None and self._silence.asks_log():
                yield from self._client.events_after(self._checked(cursor), self._notify)
            return
        stream_id, head = _head(message)
        known = stream_id == cursor.stream_id
        restored = isinstance(message, Heartbeat) and head < cursor.seq
        if known and head <= cursor.seq and not restored:
            if isinstance(message, Event):
                self._notify(Notice("repeat", f"event {head} came again"))
        elif known and head == cursor.seq + 1 and isinstance(message, Event):
            yield message
        else:
            if known and not restored:
                self._notify(Notice("gap", f"events {cursor.seq + 1} to {head} are requested"))
            yield from self._client.events_after(cursor, self._notify)

    def _acknowledge(self) -> None:
        """Report the cursor once a second, also to show that this subscriber is running."""
        who, cursor, now = self._acknowledging, self._cursor, time.monotonic()
        if who and who.processed:
            cursor = who.processed()
        if not (who and cursor and cursor.stream_id) or now < self._acknowledge_at:
            return
        self._acknowledge_at = now + UNANSWERED_S  # if it fails, live events must not wait for it
        self._client.acknowledge(who.name, who.role, cursor)
        self._acknowledge_at = time.monotonic() + ACKNOWLEDGE_S


class _Silence:
    """Reports silence of the line and its end."""

    def __init__(self, notify: Notify, *, with_key: bool) -> None:
        self._notify, self._with_key = notify, with_key
        self._received_at = self._asked_at = time.monotonic()
        self.stale = False

    def observe(self, message: Event | Heartbeat | None) -> bool:
        """Note a message, or that none came; whether the line is silent for long from now on."""
        now = time.monotonic()
        if message is None:
            if not self.stale and now - self._received_at > STALE_S:
                self.stale = True
                text = f"no message for {STALE_S:g} s: the line hangs, is down or disconnected"
                if self._with_key:
                    text += ", or refuses this key, or --server-key is not its own ('draem keys')"
                self._notify(Notice("stale", text))
                return True
            return False
        self._received_at = now
        if self.stale:
            self.stale = False
            self._notify(Notice("back", "the line sends messages again"))
        if isinstance(message, Heartbeat):
            text = f"the line is {message.state} {message.message}".strip()
            self._notify(Notice("heartbeat", text, message))
        return False

    def asks_log(self) -> bool:
        """Whether to ask the log: true once a second while no message comes."""
        now = time.monotonic()
        if now - max(self._received_at, self._asked_at) < QUIET_S:
            return False
        self._asked_at = now
        return True


def _head(message: Event | Heartbeat) -> tuple[str, int]:
    """Stream and number of the newest event that a message shows to exist."""
    if isinstance(message, Heartbeat):
        return message.stream_id, message.head
    return message.header.stream_id, message.header.seq
