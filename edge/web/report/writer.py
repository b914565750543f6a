"""Writes the report of each shift that has ended into a folder, once, also after a downtime."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

from sqlalchemy import Column, Float, MetaData, Table, Text, select
from sqlalchemy.dialects.sqlite import insert

from edge.archive.shift_times import Shift, finished_shifts
from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.base.files import write_atomic
from edge.web.accounts.database import reading, writing
from edge.web.report.files import report_files
from edge.web.site import Site
from edge.web.texts import Texts

log = logging.getLogger(__name__)

EVERY_S = 30.0
AFTER_END = timedelta(minutes=5)  # the archive's last events of the shift come in
MOST_WAIT = timedelta(hours=1)  # for an archive that is behind
MOST_BEHIND = 42

metadata = MetaData()
last_report = Table(
    "last_report",
    metadata,
    Column("folder", Text, primary_key=True),
    Column("end", Float, nullable=False),  # of its shift, in seconds since 1970
)

Announce = Callable[[Shift, list[str]], None]


class ReportWriter(Closeable):
    """Looks every half minute for shifts that have ended since the last report.

    It begins with the last shift that has ended; after a downtime it goes on with the shifts that
    have passed, at most MOST_BEHIND of them. It waits for an archive that is behind, at most
    MOST_WAIT from the shift's end or the program's start. `announce` is called for each report that
    was written. `error` is what is wrong now, empty where nothing is.
    """

    def __init__(
        self, site: Site, folder: Path, announce: Announce | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._site, self._folder, self._announce, self._clock = site, folder, announce, clock
        self._engine, self.error = site.accounts.engine, ""
        self._started = clock()
        self._name = str(folder.resolve())
        with writing(self._engine) as connection:
            metadata.create_all(connection)
        self._closed = StopEvent()
        self._thread = Thread(target=self._work, name="reports", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def _work(self) -> None:
        while True:
            self.write_due()
            if self._closed.wait(EVERY_S):
                return

    def write_due(self) -> None:
        """Write what is missing; an error is logged, shown and tried again later."""
        try:
            for shift in self._due():
                if self._closed.is_set() or self._is_awaited(shift):
                    break
                self._write(shift)
            self.error = ""
        except (DraemError, OSError) as error:
            text = f"shift reports are not written into {self._folder} ({error}): it is tried again"
            if text != self.error:
                log.error("%s", text)
            self.error = text
        except Exception:
            log.exception("a shift report failed")
            self.error = "a shift report failed: the program's log has the reason"

    def _due(self) -> list[Shift]:
        """Shifts that ended after the last one with a report, oldest first.

        The ends count, not the names: other shift times do not write the same hours again.
        """
        this = last_report.c.folder == self._name
        with reading(self._engine) as connection:
            written = connection.execute(select(last_report.c.end).where(this)).scalar()
        shifts = self._site.settings.shifts
        found = finished_shifts(shifts, self._clock() - AFTER_END, MOST_BEHIND)
        if written is None:
            return found[:1]
        missing = [shift for shift in found if shift.end.timestamp() > written]
        if len(missing) == MOST_BEHIND:
            log.warning("shift reports before %s are left out: too long ago", missing[-1].key)
        return missing[::-1]

    def _is_awaited(self, shift: Shift) -> bool:
        """Whether events of a shift may still be on their way into the archive."""
        if self._clock() >= max(shift.end, self._started) + MOST_WAIT:
            return False
        archive, stations = self._site.archive, self._site.stations
        ends = archive.last_events()
        heads = {log.stream_id: log.head for log in archive.streams()}
        # A station of which the archive has nothing, as one without an archive, is not waited for.
        behind = [feed for name, feed in stations.items() if ends.get(name, shift.end) < shift.end]
        return any(heads.get(feed.head.stream_id, -1) < feed.head.seq for feed in behind)

    def _write(self, shift: Shift) -> None:
        """The files first, under names that another try replaces, then the note that they are."""
        settings = self._site.settings
        texts = Texts(settings.language, settings.shifts.zone)
        made = report_files(self._site.archive, settings.shifts, shift, texts, "pdf", "csv")
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in made:
            write_atomic(self._folder / file.name, file.data)
        if self._announce is not None:
            self._announce(shift, [file.name for file in made])
        end = shift.end.timestamp()
        written = insert(last_report).values(folder=self._name, end=end)
        with writing(self._engine) as connection:
            connection.execute(written.on_conflict_do_update(["folder"], set_={"end": end}))
        log.info("the report of the shift %s is in %s", shift.key, self._folder)

    def close(self) -> None:
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join()
