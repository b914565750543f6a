"""Shift reports: what they say, as PDF and CSV; each written once, after a downtime too."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from edge.archive.archive import Archive
from edge.archive.audit import Change
from edge.archive.shift_times import Shift, finished_shifts, shift_of_key
from edge.archive.statistics import Shifts
from edge.web.live.station_feed import Key, StationFeed
from edge.web.report.files import report_files, stem_of
from edge.web.report.shift_report import shift_report
from edge.web.report.tables import notes_of, tables_of
from edge.web.report.writer import MOST_BEHIND, ReportWriter
from edge.web.server import open_site
from edge.web.settings import WebSettings
from edge.web.site import Site
from edge.web.texts import Texts
from tests.support.archived_days import STREAMS, fill_archive

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
SHIFTS = Shifts(zone=ZoneInfo("UTC"))
LAST = "2026-11-20T06:00"


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("archive")
    return fill_archive(folder, NOW, 2)


@pytest.fixture
def archive(addresses: tuple[str, str]) -> Iterator[Archive]:
    with Archive(*addresses) as opened:
        yield opened


@pytest.fixture
def site(addresses: tuple[str, str], tmp_path: Path) -> Iterator[Site]:
    settings = WebSettings((), *addresses, folder=tmp_path / "web", shifts=SHIFTS, language="de")
    with ExitStack() as stack:
        yield open_site(settings, stack)


class Written:
    """A writer whose clock a test turns, and the shifts that it has announced."""

    def __init__(self, site: Site, folder: Path, now: datetime = NOW) -> None:
        self.now, self.announced = now, list[str]()
        self.writer = ReportWriter(site, folder, self._announce, lambda: self.now)

    def _announce(self, shift: Shift, files: list[str]) -> None:
        self.announced.append(shift.key)


def test_web_report_says_what_the_shift_made(archive: Archive) -> None:
    report = shift_report(archive, SHIFTS, shift_of_key(SHIFTS, LAST))
    assert [line.station for line in report.lines] == ["line-1", "line-2"]
    assert report.total.ng == sum(line.counts.ng for line in report.lines) > 0
    assert len(report.hours) == 8
    assert report.is_finished
    scores = [(part.score or 0) / (part.threshold or 1) for part in report.worst]
    assert scores == sorted(scores, reverse=True)


def test_web_report_leaves_out_what_administrators_did(archive: Archive) -> None:
    archive.audit.record(Change("admin", "web", "account added", "maria"))
    archive.audit.record(Change("admin", "web", "resume", "line-1"))
    now = datetime.now(UTC)
    shift = Shift("now", now - timedelta(hours=1), now + timedelta(hours=1), "now")
    actions = [change.action for change in shift_report(archive, SHIFTS, shift).changes]
    assert "resume" in actions
    assert "account added" not in actions


def test_web_report_as_csv_can_be_read_by_programs(archive: Archive) -> None:
    shift = shift_of_key(SHIFTS, LAST)
    [made] = report_files(archive, SHIFTS, shift, Texts("de"), "csv")
    assert made.data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(made.data.decode("utf-8-sig"))))
    assert rows[0][0] == "Schichtbericht: Früh, 20.11.2026"
    head = next(i for i, row in enumerate(rows) if row[:1] == ["Station"])
    line = rows[head + 1]
    assert line[:3] == ["line-1", "lid 3", "80"]
    assert 0 < float(line[7]) < 1


def test_web_report_as_csv_has_no_formulas(archive: Archive) -> None:
    archive.audit.record(Change("=1+1", "web", "pause", "@line", reason="+x"))
    now = datetime.now(UTC)
    shift = Shift("now", now - timedelta(hours=1), now + timedelta(hours=1), "2026-11-02T06:00")
    [made] = report_files(archive, SHIFTS, shift, Texts("en"), "csv")
    cells = [cell for row in csv.reader(io.StringIO(made.data.decode("utf-8-sig"))) for cell in row]
    assert {"'=1+1", "'@line", "'+x"} <= set(cells)
    assert [cell for cell in cells if cell.startswith(("=", "@", "+"))] == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_web_report_as_pdf_has_pages_and_pictures(archive: Archive, language: str) -> None:
    [made] = report_files(archive, SHIFTS, shift_of_key(SHIFTS, LAST), Texts(language), "pdf")
    assert made.name == "shift-2026-11-20-0600-early.pdf"
    assert made.data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", made.data)) >= 2
    assert len(re.findall(rb"/Subtype /Image", made.data)) >= 2


def test_web_reports_are_written_once_for_each_shift(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = Written(site, folder)
    first.writer.write_due()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["shift-2026-11-20-0600-early.csv", "shift-2026-11-20-0600-early.pdf"]
    assert "Schichtbericht" in (folder / names[0]).read_text("utf-8-sig")
    for path in folder.iterdir():
        path.unlink()  # as a program does that collects reports
    first.writer.write_due()
    again = Written(site, folder)
    again.writer.write_due()
    assert (list(folder.iterdir()), first.announced, again.announced) == ([], [LAST], [])


def test_web_reports_wait_for_the_last_events_of_a_shift(site: Site, tmp_path: Path) -> None:
    written = Written(site, tmp_path / "out")
    written.writer.write_due()
    written.now = datetime(2026, 11, 20, 22, 4, tzinfo=UTC)
    written.writer.write_due()
    assert written.announced == [LAST]
    written.now += timedelta(minutes=2)
    written.writer.write_due()
    assert written.announced == [LAST, "2026-11-20T14:00"]


def test_web_reports_catch_up_after_a_downtime_but_not_for_ever(site: Site, tmp_path: Path) -> None:
    written = Written(site, tmp_path / "out")
    written.writer.write_due()
    written.now = NOW + timedelta(days=1)
    again = Written(site, tmp_path / "out")
    again.now = written.now
    again.writer.write_due()
    assert again.announced == ["2026-11-20T14:00", "2026-11-20T22:00", "2026-11-21T06:00"]
    again.now = NOW + timedelta(days=60)
    assert len(again.writer._due()) == MOST_BEHIND


def test_web_reports_of_other_shift_times_do_not_repeat_hours(site: Site, tmp_path: Path) -> None:
    Written(site, tmp_path / "out").writer.write_due()
    begins = {"day": time(5), "evening": time(13), "night": time(21)}
    other = replace(site, settings=replace(site.settings, shifts=replace(SHIFTS, begins=begins)))
    again = Written(other, tmp_path / "out")
    again.writer.write_due()
    again.now = datetime(2026, 11, 21, 6, tzinfo=UTC)
    again.writer.write_due()
    assert again.announced == ["2026-11-20T13:00", "2026-11-20T21:00"]


def with_station(site: Site, head: Key) -> Site:
    """The site with a station whose newest event is known."""
    return replace(site, stations={"line-1": cast(StationFeed, SimpleNamespace(head=head))})


def test_web_reports_wait_an_hour_for_an_archive_that_is_behind(site: Site, tmp_path: Path) -> None:
    written = Written(with_station(site, Key(STREAMS["line-1"], 10**6)), tmp_path / "out")
    late = datetime(2026, 11, 20, 22, tzinfo=UTC)
    written.writer.write_due()
    for minutes, announced in ((6, 1), (59, 1), (61, 2)):
        written.now = late + timedelta(minutes=minutes)
        written.writer.write_due()
        assert len(written.announced) == announced, minutes
    text = (tmp_path / "out" / "shift-2026-11-20-1400-late.csv").read_text("utf-8-sig")
    assert "Das letzte Ereignis von line-1 im Archiv ist vom 20.11.2026 14:54:00" in text
    text = (tmp_path / "out" / "shift-2026-11-20-0600-early.csv").read_text("utf-8-sig")
    assert "Das letzte Ereignis" not in text


def test_web_reports_wait_after_a_start_for_an_archive_that_catches_up(
    site: Site, tmp_path: Path
) -> None:
    Written(site, tmp_path / "out").writer.write_due()
    written = Written(with_station(site, Key("", 0)), tmp_path / "out", NOW + timedelta(days=1))
    written.writer.write_due()
    assert written.announced == []
    written.now += timedelta(hours=1)
    written.writer.write_due()
    assert len(written.announced) == 3


def test_web_reports_do_not_wait_for_a_station_that_stands_still(
    site: Site, tmp_path: Path
) -> None:
    [head] = [one.head for one in site.archive.streams() if one.station == "line-1"]
    written = Written(with_station(site, Key(STREAMS["line-1"], head)), tmp_path / "out")
    written.writer.write_due()
    written.now = datetime(2026, 11, 20, 22, 6, tzinfo=UTC)
    written.writer.write_due()
    assert len(written.announced) == 2


def test_web_report_of_nothing_says_where_the_archive_ends(archive: Archive) -> None:
    shift = Shift("day", NOW + timedelta(hours=1), NOW + timedelta(hours=9), "2026-11-20T16:00")
    report = replace(shift_report(archive, SHIFTS, shift), made=shift.end)
    texts = Texts("en", UTC)
    assert notes_of(report, texts) == [
        f"The archive's last event of line-{n} is of 20 Nov 2026 14:54:00: anything later is not "
        "in this report."
        for n in (1, 2)
    ]
    assert tables_of(report, texts)[0].empty == "The archive has no parts of this shift."


def test_web_reports_that_cannot_be_written_are_said_and_tried_again(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    written = Written(site, tmp_path / "out")
    written.writer.write_due()
    assert "are not written into" in written.writer.error
    assert written.announced == []
    (tmp_path / "out").unlink()
    written.writer.write_due()
    assert (written.writer.error, written.announced) == ("", [LAST])


def test_web_reports_have_names_that_every_disk_takes() -> None:
    shift = finished_shifts(replace(SHIFTS, begins={"früh/1": SHIFTS.begins["early"]}), NOW, 1)[0]
    assert stem_of(shift) == "shift-2026-11-19-0600-früh_1"
