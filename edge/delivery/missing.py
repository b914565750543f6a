"""The log of pictures that were not delivered: one at once, then the number of a minute."""

import logging
import time

from edge.base.repeats import INTERVAL_S
from edge.delivery.safe_names import safe_value
from edge.events.event import Inspection

log = logging.getLogger(__name__)

WHY = "the station no longer has it"


class MissingLog:
    """Says which pictures are missing without filling the log; `report` is called regularly."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._due = 0.0

    def add(self, header: Inspection) -> None:
        """A picture that the station no longer has."""
        if time.monotonic() < self._due or self._waiting:
            self._waiting.append(header.seq)
            return
        self._due = time.monotonic() + INTERVAL_S
        part = safe_value(header.part_id or header.trigger_id)
        log.warning(
            "the picture of part %s (event %d, %s) is not delivered: %s",
            part, header.seq, header.verdict, WHY,
        )  # fmt: skip

    def report(self, *, at_once: bool = False) -> None:
        """Write the number of those since the last line, once a minute."""
        if not self._waiting or (time.monotonic() < self._due and not at_once):
            return
        self._due = time.monotonic() + INTERVAL_S
        first, last, count = self._waiting[0], self._waiting[-1], len(self._waiting)
        self._waiting.clear()
        log.warning(
            "%d more pictures are not delivered, of events %d to %d: %s", count, first, last, WHY
        )
