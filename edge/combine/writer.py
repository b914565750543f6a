"""Writes the events of joined parts, the state of the views, and the heartbeats."""

import logging
import time
from collections.abc import Sequence
from typing import Literal

from edge.combine.header import joined_part
from edge.combine.joiner import Released, Rules
from edge.combine.products import DIFFERENT
from edge.events.codes import Code
from edge.events.event import AnyHeader, Inspection, Status
from edge.events.journal import Journal
from edge.events.logged_writer import EventSink, LoggedWriter, Standing
from edge.events.retention import Retention
from edge.events.stamps import UNSTAMPED

log = logging.getLogger(__name__)

START_S = 2.0  # before that a view that was not heard yet is no event


class CombineWriter(LoggedWriter):
    """Writes the events of the joined stream; numbers go on after the last in its log."""

    def __init__(
        self,
        station: str,
        rules: Rules,
        journal: Journal,
        sink: EventSink,
        retention: Retention | None = None,
    ) -> None:
        super().__init__(station, journal, sink, retention)
        self._rules = rules
        self._quiet_until = time.monotonic() + START_S
        self._trouble = Standing("running", "", DIFFERENT)
        self._status: tuple[str, str, str] | None = None

    @property
    def head(self) -> int:
        """Number of the newest event."""
        return self._journal.head

    def parts(self, released: Sequence[Released]) -> list[Inspection]:
        """Write parts in one transaction; their headers, without a verdict where that failed."""
        now = time.monotonic()
        made = [joined_part(one, self._rules, now) for one in released]
        headers: list[AnyHeader] = [header for header, _ in made]
        written = self._write(headers, [mask_png for _, mask_png in made])
        return [header for header in written if isinstance(header, Inspection)]

    def tick(self, standing: Standing) -> None:
        """Do what is due: a changed state, trimming, the heartbeat. Call it at every turn."""
        now = time.monotonic()
        self._trouble_changed(standing, now)
        state = (standing.state, standing.product, standing.version)
        if standing.code is Code.NONE and state != self._status:
            self._status = state
            self.status(standing.state, standing.product, standing.version)
            self._next_heartbeat = 0.0
        self._trim_when_due(now)
        if now >= self._next_heartbeat:
            self._beat(standing)

    def _trouble_changed(self, standing: Standing, now: float) -> None:
        """A fault for each new reason why there is no verdict, and for the end of it."""
        before, self._trouble = self._trouble, standing
        if (before.code, before.message) == (standing.code, standing.message):
            return
        self._next_heartbeat = 0.0
        if standing.code is not Code.NONE and (self._status or now >= self._quiet_until):
            self.fault(standing.code, standing.message)
            log.warning("%s", standing.message)
        elif standing.code is Code.NONE and before.code is not Code.NONE and self._status:
            self.fault(Code.VIEW_BACK, "all views give verdicts again")
            log.info("all views give verdicts again")

    def status(
        self, state: Literal["running", "paused", "stopped"], product: str, version: str
    ) -> None:
        """Write the state of the joined stream."""
        self._write([Status(**UNSTAMPED, state=state, product=product, version=version)])
