"""What a station says of itself when it is asked: health, product, counters, cursors."""

import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from edge.events.client import NoAnswer, RequestClient
from edge.events.control_messages import CountersReply, Health, ProductReply, Request
from edge.events.cursors import Acknowledged
from edge.events.replay_server import CursorsReply, ListCursors
from edge.web.live.requests import StationRefused, ask
from edge.web.live.watch import Watch
from edge.web.settings import StationAddresses

ASK_S, ANSWER_MS = 1.0, 700


@dataclass(frozen=True)
class Cursor:
    """How far a subscriber is, and for how long it has not reported that."""

    name: str
    role: str
    stream_id: str
    seq: int
    silent_s: float


@dataclass(frozen=True)
class Answers:
    """The last answers of a station; None and an error where it gave none."""

    health: Health | None = None
    product: ProductReply | None = None
    counters: CountersReply | None = None
    cursors: tuple[Cursor, ...] | None = None
    error: str = ""
    log_error: str = ""
    free_bytes: int | None = None
    """Of the disk with the station's data; None where that is not on this machine."""


@dataclass
class _Seen:
    """When each cursor's own time last changed, by this program's clock."""

    at: dict[str, tuple[str, float]] = field(default_factory=dict)

    def silent_s(self, cursor: Acknowledged) -> float:
        """Seconds without a report. The station's clock counts only until the first one."""
        now = time.monotonic()
        seen_at, since = self.at.get(cursor.name, ("", now))
        if seen_at != cursor.seen_at:
            since = now if seen_at else now - _age_s(cursor.seen_at)
            self.at[cursor.name] = (cursor.seen_at, since)
        return now - since


class HealthWatch(Watch):
    """Asks a station each second while somebody looks; `answers` may be read from any thread."""

    def __init__(self, addresses: StationAddresses) -> None:
        self._addresses, self._seen = addresses, _Seen()
        self.answers = Answers()
        super().__init__(f"health {addresses.name}")

    def _work(self) -> None:
        a = self._addresses
        with (
            RequestClient(a.control, a.credentials, "--control", ANSWER_MS) as control,
            RequestClient(a.replay, a.credentials, "--replay", ANSWER_MS) as replay,
        ):
            while self.wanted:
                self.answers = self._asked(control, replay)
                self._closed.wait(ASK_S)

    def _asked(self, control: RequestClient, replay: RequestClient) -> Answers:
        health = product = counters = cursors = None
        error = log_error = ""
        try:
            health = ask(control, Request(request="health"), Health)
            product = ask(control, Request(request="product"), ProductReply)
            counters = ask(control, Request(request="counters"), CountersReply)
        except (NoAnswer, StationRefused) as refused:
            error = str(refused)
        try:
            found = ask(replay, ListCursors(), CursorsReply).cursors
            cursors = tuple(self._cursor(one) for one in found)
        except (NoAnswer, StationRefused) as refused:
            log_error = str(refused)
        free = _free_bytes(self._addresses.data)
        return Answers(health, product, counters, cursors, error, log_error, free)

    def _cursor(self, one: Acknowledged) -> Cursor:
        silent_s = self._seen.silent_s(one)
        return Cursor(one.name, one.role, one.stream_id, one.seq, silent_s)

    def _idle(self) -> None:
        self.answers = Answers()


def _free_bytes(folder: Path | None) -> int | None:
    try:
        return shutil.disk_usage(folder).free if folder else None
    except OSError:  # it is on another machine
        return None


def _age_s(seen_at: str) -> float:
    try:
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(seen_at)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
