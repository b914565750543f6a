"""/report: the report of a shift on paper or as a file."""

from datetime import UTC, datetime

from fastapi import FastAPI
from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from edge.archive.errors import ArchiveError
from edge.archive.shift_times import Shift, finished_shifts, shift_at, shift_of_key
from edge.web.attributes import attributes
from edge.web.page import Room, add_page
from edge.web.parts import thumbnail_address
from edge.web.plain_table import plain_table
from edge.web.report.files import report_files
from edge.web.report.pdf_pictures import caption_of
from edge.web.report.shift_report import ShiftReport, shift_report
from edge.web.report.tables import cards_of, notes_of, period_of, tables_of, title_of
from edge.web.report.writer import ReportWriter
from edge.web.shifts import shift_name
from edge.web.site import Site
from edge.web.statistics.parts import number_card, statistics_style
from edge.web.texts import mark
from edge.web.viewer import Viewer

OFFERED = 42  # two weeks of three shifts


def add_report(app: FastAPI, site: Site, writer: ReportWriter | None) -> None:
    """The page and its files."""
    shifts = site.settings.shifts

    async def build(viewer: Viewer, request: Request) -> None:
        now = datetime.now(UTC)
        offered = [shift_at(shifts, now), *finished_shifts(shifts, now, OFFERED)]
        key = request.query_params.get("shift") or offered[1].key
        shift = shift_of_key(shifts, key)
        report = await run_in_threadpool(shift_report, site.archive, shifts, shift)
        statistics_style()
        _choice(viewer, shift, offered)
        if writer is not None and writer.error:
            with ui.element("div").classes("site-error no-print").props("role=alert"):
                ui.label(writer.error)
        _show(viewer, report)

    add_page(site, Room("/report", mark("Shift report"), icon="summarize"), build)

    @app.get("/report.{kind}")
    def file(request: Request, kind: str, shift: str) -> Response:
        return report_answer(site, site.viewer_of(request), shift, kind)


def report_answer(site: Site, viewer: Viewer, key: str, kind: str) -> Response:
    """A report as a file to keep; 404 for what there is not."""
    try:
        shift = shift_of_key(site.settings.shifts, key)
    except ArchiveError as error:
        return Response(str(error), 404, media_type="text/plain")
    if kind not in ("pdf", "csv"):
        return Response("a report is pdf or csv: correct the address", 404, media_type="text/plain")
    [made] = report_files(site.archive, site.settings.shifts, shift, viewer.texts, kind)
    headers = {"content-disposition": f'attachment; filename="{made.name}"'}
    return Response(made.data, media_type=made.media_type, headers=headers)


def _choice(viewer: Viewer, shift: Shift, offered: list[Shift]) -> None:
    say, texts = viewer.texts.say, viewer.texts
    names = {
        s.key: f"{texts.moment(s.begin, seconds=False)} {shift_name(s.name, texts)}"
        for s in [shift, *offered]
    }
    with ui.element("div").classes("row-wrap no-print"):
        ui.select(
            names,
            value=shift.key,
            label=say("Shift"),
            on_change=lambda event: ui.navigate.to(f"/report?shift={event.value}"),
        ).classes("report-shift").props("outlined")
        ui.button(say("Print"), icon="print", on_click=lambda: ui.run_javascript("window.print()"))
        for kind in ("pdf", "csv"):
            address = f"/report.{kind}?shift={shift.key}"
            button = ui.button(kind.upper(), icon="download").props("outline download")
            attributes(button, href=address)


def _show(viewer: Viewer, report: ShiftReport) -> None:
    say, texts = viewer.texts.say, viewer.texts
    with ui.element("section").classes("card"):
        with ui.element("h2"):
            ui.label(title_of(report, texts))
        ui.label(period_of(report, texts))
        for note in notes_of(report, texts):
            ui.label(note).classes("state-warning")
        ui.label(say("Made {moment} by draem", moment=texts.moment(report.made))).classes("muted")
        with ui.element("div").classes("number-cards"):
            for name, value in cards_of(report.total, texts):
                number_card(name, value)
    for table in tables_of(report, texts):
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(table.title)
            if table.rows:
                plain_table(table.title, table.columns, table.rows, table.numbers)
            else:
                ui.label(table.empty).classes("muted")
            if table.is_cut:
                ui.label(say("Only the first ones are shown.")).classes("muted")
    _pictures(viewer, report)
    with ui.element("div").classes("signature print-only"):
        for name in (say("Date"), say("Name"), say("Signature")):
            ui.label(name)


def _pictures(viewer: Viewer, report: ShiftReport) -> None:
    if not report.worst:
        return
    with ui.element("section").classes("card"):
        with ui.element("h2"):
            ui.label(viewer.texts.say("Worst parts"))
        with ui.element("div").classes("report-pictures"):
            for part in report.worst:
                with ui.element("figure"):
                    if part.picture:
                        image = ui.element("img")
                        image.props["src"] = thumbnail_address(part.picture)
                        image.props["alt"] = viewer.texts.say("The part's picture")
                    else:
                        ui.label(viewer.texts.say("no picture")).classes("muted")
                    with ui.element("figcaption"):
                        for text in caption_of(part, viewer.texts):
                            ui.label(text)
