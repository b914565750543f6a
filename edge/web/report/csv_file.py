"""A report as CSV: its tables one after the other, each with a title and an empty line before.

Numbers are written for programs: a point, no separators, rates of 0 to 1.
"""

from collections.abc import Iterable, Iterator, Sequence

from edge.archive.statistics import Counts
from edge.base.csv_table import csv_line
from edge.web.report.shift_report import ShiftReport, parts_of
from edge.web.report.tables import notes_of, period_of, tables_of, title_of
from edge.web.texts import Texts


def report_csv(report: ShiftReport, texts: Texts) -> bytes:
    """UTF-8 with the mark by which spreadsheets know it."""
    shift = report.shift
    lines = [
        csv_line([title_of(report, texts)]),
        csv_line([shift.begin.isoformat(), shift.end.isoformat()]),
        csv_line([period_of(report, texts)]),
        *(csv_line([note]) for note in notes_of(report, texts)),
    ]
    counted, *others = tables_of(report, texts)
    lines += _written(counted.title, counted.columns, _lines(report))
    for table in others:
        lines += _written(table.title, table.columns, table.rows)
    return "".join(lines).encode("utf-8-sig")


def _written(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    return map(csv_line, [[], [title], columns, *rows])


def _lines(report: ShiftReport) -> list[list[object]]:
    return [[line.station, line.product, *_numbers(line.counts)] for line in report.lines]


def _numbers(counts: Counts) -> list[object]:
    rates = (counts.ng_rate, counts.first_pass_yield)
    rounded = ["" if rate is None else round(rate, 6) for rate in rates]
    return [
        parts_of(counts), counts.ok, counts.ng, counts.no_verdict, counts.passed_over, *rounded
    ]  # fmt: skip
