"""The station's side: events after a cursor, kept pictures, and the cursor's acknowledgement."""

import logging
import time
from collections.abc import Callable, Iterator

from edge.base.closeable import Closeable
from edge.events.client import NoAnswer, RequestClient
from edge.events.clock import boot_id
from edge.events.cursor_file import Cursor
from edge.events.event import Event, Inspection
from edge.events.notices import log_once

log = logging.getLogger(__name__)

ACKNOWLEDGE_S = 5.0
SETTLE_S, OK_SETTLE_S = 10.0, 3.0  # the station writes a picture a little later than its event
ASK_AGAIN_S = 0.25
FAR_BEHIND = 1000  # events: the pictures of older ones are written, or never will be
ANSWER_MS, LONGEST_ANSWER_MS = 5_000, 120_000  # a picture is larger than other answers
PNG = b"\x89PNG\r\n\x1a\n"


class StationLog(Closeable):
    """Asks one station; `wait` sleeps, and may raise Stopped."""

    def __init__(self, client: RequestClient, name: str, wait: Callable[[float], None]) -> None:
        self._client, self._name, self._wait = client, name, wait
        self._notify = log_once()
        self._acknowledge_at = 0.0
        self._cursor = Cursor("", 0)  # the newest that the station is to know
        self._boot_id = boot_id()
        self.failing = False

    def events_after(self, cursor: Cursor) -> Iterator[Event | Cursor]:
        """The events up to the newest; a cursor is where another log begins. Ends in an outage."""
        try:
            yield from self._client.events_after(cursor, self._notify)
        except NoAnswer as error:
            self._fails(error)
        else:
            self._answers()

    def head(self) -> Cursor | None:
        """The newest event; None while the station does not answer."""
        try:
            header, _ = self._client.page(0, 1)
        except NoAnswer as error:
            self._fails(error)
            return None
        self._answers()
        return Cursor(header.stream_id, header.head)

    def published_at(self, cursor: Cursor) -> str:
        """When the event of a cursor was published; empty where the log no longer has it."""
        if cursor.seq < 1:
            return ""
        try:
            header, found = self._client.page(cursor.seq - 1, 1)
        except NoAnswer as error:
            self._fails(error)
            return ""
        self._answers()
        is_there = found and found[0].header.seq == cursor.seq
        same = header.stream_id == cursor.stream_id
        return found[0].header.published_at if is_there and same else ""

    def picture(self, inspection: Inspection) -> bytes | None:
        """The kept frame as PNG; None where the station no longer has it, or never had."""
        limit = OK_SETTLE_S if inspection.verdict == "OK" else SETTLE_S
        end = time.monotonic() + limit - min(limit, self._age_s(inspection))
        while True:
            found = self._asked(inspection)
            if found.startswith(PNG):
                return found
            if time.monotonic() >= end:
                return None
            self._wait(ASK_AGAIN_S)

    def _age_s(self, inspection: Inspection) -> float:
        """Seconds since it was published, at least; infinite where it is far behind the newest.

        The wall clocks of two machines may differ: another machine's event counts from its page.
        """
        if inspection.boot_id == self._boot_id:
            return max(0.0, (time.monotonic_ns() - inspection.published_ns) / 1e9)
        if self._client.head - inspection.seq >= FAR_BEHIND:
            return float("inf")
        return time.monotonic() - self._client.read_s if self._client.read_s else 0.0

    def _asked(self, inspection: Inspection) -> bytes:
        """The frame, empty for none; asks until the station answers, each time with more time."""
        number, stream_id = inspection.inspection_id, inspection.stream_id
        answer_ms = ANSWER_MS
        while True:
            try:
                found = self._client.frames(stream_id, [number], answer_ms, lambda: self._wait(0.0))
            except NoAnswer as error:
                self._fails(error)
                answer_ms = min(2 * answer_ms, LONGEST_ANSWER_MS)
                self.acknowledge(self._cursor)
                self._wait(1.0)
            else:
                self._answers()
                return found.get(number, b"")

    def acknowledge(self, cursor: Cursor) -> None:
        """Report now and then how far we are, so that the station keeps the events after it."""
        is_due = (
            time.monotonic() >= self._acknowledge_at or cursor.stream_id != self._cursor.stream_id
        )
        self._cursor = cursor
        if not is_due or not cursor.stream_id:
            return
        self._acknowledge_at = time.monotonic() + ACKNOWLEDGE_S
        try:
            self._client.acknowledge(self._name, "bridge", cursor)
        except NoAnswer as error:
            self._fails(error)

    def _fails(self, error: NoAnswer) -> None:
        if not self.failing:
            log.warning("the station's pictures have to wait: %s", error)
        self.failing = True

    def _answers(self) -> None:
        if self.failing:
            log.info("the station answers again")
        self.failing = False

    def close(self) -> None:
        self._client.close()
