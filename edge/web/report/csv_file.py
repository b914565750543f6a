"""A report as CSV: its tables one after the other, each with a title and an empty line before.

Numbers are written for programs: a point, no separators, rates of 0 to 1.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from edge.archive.statistics import Counts
from edge.base.csv_table import safe_cell
from edge.web.report.shift_report import ShiftReport, parts_of
from edge.web.report.tables import period_of, tables_of, title_of
from edge.web.texts import Texts


def report_csv(report: ShiftReport, texts: Texts) -> bytes:
    """UTF-8 with the mark by which spreadsheets know it."""
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow([title_of(report, texts)])
    writer.writerow([report.shift.begin.isoformat(), report.shift.end.isoformat()])
    writer.writerow([period_of(report, texts)])
    counted, *others = tables_of(report, texts)
    _write(writer, counted.title, counted.columns, _lines(report))
    for table in others:
        _write(writer, table.title, table.columns, table.rows)
    return made.getvalue().encode("utf-8-sig")


def _write(
    writer: Any, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    writer.writerow([])
    writer.writerow([title])
    writer.writerow(columns)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)


def _lines(report: ShiftReport) -> list[list[object]]:
    return [[line.station, line.product, *_numbers(line.counts)] for line in report.lines]


def _numbers(counts: Counts) -> list[object]:
    rates = (counts.ng_rate, counts.first_pass_yield)
    rounded = ["" if rate is None else round(rate, 6) for rate in rates]
    return [
        parts_of(counts), counts.ok, counts.ng, counts.no_verdict, counts.passed_over, *rounded
    ]  # fmt: skip
