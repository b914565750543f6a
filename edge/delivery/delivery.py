"""The loop of a delivery: event, picture, name, file server, cursor.

It reads the log page by page and nothing waits in its memory: while the file server cannot be
reached the loop stands, and the station keeps events and pictures. The order of the steps is what
makes a kill harmless: the name is on the disk before the file is on the server, the file before the
cursor.
"""

import logging
import time
from collections.abc import Callable

from edge.delivery.errors import NameTaken, Stopped, TargetError
from edge.delivery.missing import MissingLog
from edge.delivery.progress import Progress
from edge.delivery.station_log import StationLog
from edge.delivery.target import Target
from edge.delivery.template import NameTemplate
from edge.delivery.wanted import Wanted, stems, temporary_name
from edge.events.cursor_file import Cursor
from edge.events.event import Event, Inspection

log = logging.getLogger(__name__)

ROUND_S = 1.0  # between two questions for new events
SAVE_S = 1.0
BACKOFF_S, LONGEST_BACKOFF_S = 1.0, 60.0


class Delivery:
    """Delivers until it is stopped: `wait` raises Stopped then.

    `check_station` is called with the name of each event's station.
    """

    def __init__(
        self,
        station: StationLog,
        target: Target,
        progress: Progress,
        template: NameTemplate,
        wanted: Wanted,
        wait: Callable[[float], None],
        check_station: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._station, self._target, self.progress = station, target, progress
        self._template, self._wanted = template, wanted
        self._wait, self._check_station = wait, check_station
        self._missing = MissingLog()
        self._save_at = 0.0
        self._is_same_log = False
        self.failing = False
        self.sent_bytes = 0

    def run(self, *, begin_now: bool = False) -> None:
        """Deliver until Stopped. Raises DeliveryError for what only a person can change.

        With `begin_now` the first start leaves out what the log has already.
        """
        try:
            if begin_now and self.progress.is_new:
                self._begin_now()
            while True:
                self.round()
                self._wait(ROUND_S)
        except Stopped:
            pass
        finally:
            self._missing.report(at_once=True)
            self.progress.save()

    def _begin_now(self) -> None:
        while (head := self._station.head()) is None:
            self._wait(ROUND_S)
        self.progress.passed(head)
        self.progress.save()

    def round(self) -> None:
        """Deliver what the log has after the cursor."""
        if not self._is_same_log:
            self._look_for_another_copy()
        for found in self._station.events_after(self.progress.cursor):
            self._wait(0.0)
            if isinstance(found, Cursor):
                self._begin_at(found)
                continue
            self._check_station(found.header.station)
            if not self.progress.cursor.stream_id:
                self._begin_at(Cursor(found.header.stream_id, found.header.seq - 1))
            if isinstance(found.header, Inspection) and self._wanted.has(found.header):
                self._deliver(found, found.header)
            header = found.header
            self.progress.passed(Cursor(header.stream_id, header.seq), header.published_at)
            self._save_sometimes()
        self._is_same_log = self._is_same_log and not self._station.failing
        self._save_sometimes()

    def _begin_at(self, cursor: Cursor) -> None:
        """The station keeps events and pictures only after a cursor that it knows."""
        self.progress.passed(cursor)
        self.progress.save()
        self._station.acknowledge(cursor)

    def _look_for_another_copy(self) -> None:
        """After an outage the log may be an older copy, which gives numbers to other events."""
        cursor, known = self.progress.cursor, self.progress.published_at
        found = self._station.published_at(cursor)
        if found and known and found != known:
            log.error(
                "the station's log was restored from a copy: pictures of its events up to %d are "
                "not delivered where they are others than before", cursor.seq,
            )  # fmt: skip
            self.progress.passed(cursor, found)
        self._is_same_log = not self._station.failing

    def _save_sometimes(self) -> None:
        """Events without a picture are read again after a kill, which does no harm."""
        self._missing.report()
        if time.monotonic() >= self._save_at:
            self._save_at = time.monotonic() + SAVE_S
            self.progress.save()
        self._station.acknowledge(self.progress.saved_cursor)

    def _deliver(self, event: Event, header: Inspection) -> None:
        picture = self._station.picture(header)
        if picture is None:
            self._missing.add(header)
            self.progress.missed_one()
            return
        backoff_s = BACKOFF_S
        while True:
            try:
                self._attempt(event, header, picture)
            except TargetError as error:
                self._failed(error)
                self._wait_acknowledging(backoff_s)
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
            else:
                break
        if self.failing:
            log.warning("pictures are delivered again")
        self.failing = False
        self.progress.delivered_one()

    def _failed(self, error: TargetError) -> None:
        if not self.failing:
            log.error("pictures have to wait at the station: %s", error)
        self.failing = True

    def _wait_acknowledging(self, seconds: float) -> None:
        """An outage of the file server may be long; the station must not forget the cursor."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._station.acknowledge(self.progress.saved_cursor)
            self._wait(min(left, ROUND_S))

    def _attempt(self, event: Event, header: Inspection, picture: bytes) -> None:
        """Write the files of a part under one name, the one of an attempt before if there was."""
        place = str(self._target.place)
        chosen = self.progress.chosen(header, place)
        if chosen is not None and self._is_written(chosen, event, header, picture):
            return
        for stem in stems(self._template.stem(header), header):
            if not self._target.are_free(self._wanted.names(stem)):
                continue
            self.progress.begin(header, place, stem)
            if self._is_written(stem, event, header, picture):
                return
        raise TargetError(
            f"all names of event {header.seq} are taken below {place}: change the name template"
        )

    def _is_written(self, stem: str, event: Event, header: Inspection, picture: bytes) -> bool:
        """Write the files; False where another program has taken a name since it was free."""
        try:
            for name, data in self._wanted.files(stem, event, picture):
                self._target.put(name, data, temporary_name(header, name))
                self.sent_bytes += len(data)
        except NameTaken:
            return False
        return True
