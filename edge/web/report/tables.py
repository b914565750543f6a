"""The tables of a report, as texts: the same for the page, the PDF and the CSV."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.archive.statistics import Counts
from edge.web.history.meanings import code_text
from edge.web.report.shift_report import MOST_ROWS, ShiftReport, parts_of
from edge.web.shifts import shift_name
from edge.web.texts import Texts


@dataclass(frozen=True)
class ReportTable:
    """A title, the heads of the columns, rows of texts; `wide` are the columns for long texts."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[int]
    empty: str
    numbers: int = 0
    """So many columns from the right are numbers."""

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than these."""
        return len(self.rows) >= MOST_ROWS


def title_of(report: ShiftReport, texts: Texts) -> str:
    """Which shift it is."""
    day = texts.date(report.shift.begin)
    return texts.say(
        "Shift report: {name}, {day}", name=shift_name(report.shift.name, texts), day=day
    )


def period_of(report: ShiftReport, texts: Texts) -> str:
    """From when to when; and that the shift goes on."""
    begin = texts.moment(report.shift.begin, seconds=False)
    end = texts.moment(report.shift.end, seconds=False)
    text = texts.say("{begin} to {end}", begin=begin, end=end)
    if report.is_finished:
        return text
    return texts.say("{period} - the shift has not ended, so this is not all of it", period=text)


def notes_of(report: ShiftReport, texts: Texts) -> list[str]:
    """Of a shift that has ended: from which stations something may be missing.

    It may also be that such a station stood still.
    """
    return [
        texts.say(
            "The archive's last event of {station} is of {moment}: anything later is not in this "
            "report.",
            station=station,
            moment=texts.moment(at),
        )
        for station, at in (report.ends if report.is_finished else ())
    ]


def cards_of(counts: Counts, texts: Texts) -> list[tuple[str, str]]:
    """The numbers to see first."""
    say = texts.say
    return [
        (say("Parts"), texts.number(parts_of(counts))),
        (say("First-pass yield"), texts.percent(counts.first_pass_yield)),
        (say("NG rate"), texts.percent(counts.ng_rate, 2)),
        (say("NG"), texts.number(counts.ng)),
        (say("No verdict"), texts.number(counts.no_verdict)),
        (say("Passed over"), texts.number(counts.passed_over)),
    ]


def tables_of(report: ShiftReport, texts: Texts) -> list[ReportTable]:
    """All tables in the order of the report."""
    return [
        _lines(report, texts),
        _pareto(texts.say("Reasons without verdict"), texts, _reasons(report, texts)),
        _pareto(texts.say("Kinds of defects, labelled in this shift"), texts, report.kinds),
        _faults(report, texts),
        _states(report, texts),
        _changes(report, texts),
    ]


def count_columns(texts: Texts) -> list[str]:
    """The heads of the columns of counts."""
    say = texts.say
    return [
        say("Parts"), say("OK"), say("NG"), say("No verdict"), say("Passed over"), say("NG rate"),
        say("Yield"),
    ]  # fmt: skip


def count_cells(counts: Counts, texts: Texts) -> list[str]:
    """Counts as texts."""
    numbers = (parts_of(counts), counts.ok, counts.ng, counts.no_verdict, counts.passed_over)
    rates = texts.percent(counts.ng_rate, 2), texts.percent(counts.first_pass_yield)
    return [*map(texts.number, numbers), *rates]


def _lines(report: ShiftReport, texts: Texts) -> ReportTable:
    say = texts.say
    rows = [[x.station, x.product, *count_cells(x.counts, texts)] for x in report.lines]
    if len(rows) > 1:
        rows.append([say("All"), "", *count_cells(report.total, texts)])
    columns = [say("Station"), say("Product and version"), *count_columns(texts)]
    widths = (20, 24, 11, 11, 9, 11, 11, 11, 11)
    empty = (
        say("The archive has no parts of this shift.")
        if report.ends
        else say("No parts were inspected in this shift.")
    )
    return ReportTable(say("Stations and products"), columns, rows, widths, empty, numbers=7)


def _reasons(report: ShiftReport, texts: Texts) -> list[tuple[str, int]]:
    return [(code_text(texts, name), count) for name, count in report.codes]


def _pareto(title: str, texts: Texts, found: Sequence[tuple[str, int]]) -> ReportTable:
    rows = [[name, texts.number(count)] for name, count in found]
    columns = [texts.say("What"), texts.say("Number")]
    return ReportTable(title, columns, rows, (80, 20), texts.say("None."), numbers=1)


def _faults(report: ShiftReport, texts: Texts) -> ReportTable:
    say = texts.say
    columns = [say("Time"), say("Station"), say("Code"), say("Message")]
    rows = [[texts.time(f.at), f.station, f.code, f.message] for f in report.faults]
    return ReportTable(say("Faults"), columns, rows, (12, 18, 20, 50), say("None."))


def _states(report: ShiftReport, texts: Texts) -> ReportTable:
    say = texts.say
    columns = [say("Time"), say("Station"), say("State"), say("Product and version")]
    words = {"running": say("running"), "paused": say("paused"), "stopped": say("stopped")}
    rows = [
        [texts.time(s.at), s.station, words.get(s.state, s.state), f"{s.product} {s.version}"]
        for s in report.states
    ]
    title = say("States and product changes")
    return ReportTable(title, columns, rows, (12, 28, 20, 40), say("None."))


def _changes(report: ShiftReport, texts: Texts) -> ReportTable:
    say = texts.say
    columns = [
        say("Time"),
        say("Who"),
        say("Action"),
        say("Target"),
        say("Old and new"),
        say("Reason"),
    ]
    rows = [
        [
            texts.time(c.at), c.who, c.action, c.target,
            " -> ".join(text for text in (c.old, c.new) if text), c.reason,
        ]
        for c in report.changes
    ]  # fmt: skip
    title = say("Changes from the audit trail")
    return ReportTable(title, columns, rows, (12, 16, 16, 18, 20, 18), say("None."))
