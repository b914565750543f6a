"""A report as files, by one name for all who ask."""

from dataclasses import dataclass

from edge.archive.archive import Archive
from edge.archive.shift_times import Shift
from edge.archive.statistics import Shifts
from edge.web.report.csv_file import report_csv
from edge.web.report.pdf import report_pdf
from edge.web.report.shift_report import shift_report
from edge.web.texts import Texts

KINDS = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


@dataclass(frozen=True)
class ReportFile:
    """A report in one format."""

    name: str
    media_type: str
    data: bytes


def report_files(
    archive: Archive, shifts: Shifts, shift: Shift, texts: Texts, *kinds: str
) -> list[ReportFile]:
    """The report in the given formats (`pdf`, `csv`). Raises ArchiveError."""
    report = shift_report(archive, shifts, shift)
    made = {
        "pdf": lambda: report_pdf(report, texts, archive),
        "csv": lambda: report_csv(report, texts),
    }
    return [ReportFile(f"{stem_of(shift)}.{kind}", KINDS[kind], made[kind]()) for kind in kinds]


def stem_of(shift: Shift) -> str:
    """The name of its files without the ending: shift-2026-11-02-0600-early."""
    name = "".join(letter if letter.isalnum() else "_" for letter in shift.name)
    return f"shift-{shift.key[:10]}-{shift.key[11:13]}{shift.key[14:]}-{name}"
