"""A report as PDF, A4: numbers, a chart, tables, the worst parts, a line to sign on."""

import io

from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from edge.archive.archive import Archive
from edge.web.report.chart import hours_png
from edge.web.report.pdf_pictures import add_pictures
from edge.web.report.pdf_sheet import FONT, GRAY, Sheet, heading, write
from edge.web.report.shift_report import ShiftReport
from edge.web.report.tables import ReportTable, cards_of, notes_of, period_of, tables_of, title_of
from edge.web.texts import Texts

HEAD = FontFace(emphasis="BOLD", fill_color=(232, 236, 240))


def report_pdf(report: ShiftReport, texts: Texts, archive: Archive) -> bytes:
    """The whole file."""
    pdf = Sheet(texts.say("Page {number} of {count}", number="{number}", count="{nb}"))
    pdf.set_title(title_of(report, texts))
    pdf.set_lang(texts.language)
    pdf.set_creation_date(report.made)
    pdf.add_page()
    write(pdf, title_of(report, texts), 16, bold=True)
    for text in (period_of(report, texts), *notes_of(report, texts)):
        write(pdf, text, 10)
    made = texts.say("Made {moment} by draem", moment=texts.moment(report.made))
    write(pdf, made, 8, gray=True)
    _cards(pdf, report, texts)
    if report.hours:
        pdf.image(io.BytesIO(hours_png(report.hours, texts)), w=pdf.epw)
    for table in tables_of(report, texts):
        _table(pdf, table, texts)
    if report.worst:
        add_pictures(pdf, report.worst, texts, archive)
    _signature(pdf, texts)
    return bytes(pdf.output())


def _cards(pdf: Sheet, report: ShiftReport, texts: Texts) -> None:
    cards = cards_of(report.total, texts)
    width, top = pdf.epw / len(cards), pdf.get_y() + 3
    for i, (name, value) in enumerate(cards):
        left = pdf.l_margin + i * width
        pdf.set_draw_color(200)
        pdf.rect(left, top, width - 2, 16)
        pdf.set_xy(left + 1, top + 1.5)
        pdf.set_font(FONT, size=6.5)
        pdf.set_text_color(GRAY)
        pdf.cell(width - 4, 4, name)
        pdf.set_xy(left + 1, top + 7)
        pdf.set_font(FONT, "B", 12)
        pdf.set_text_color(0)
        pdf.cell(width - 4, 7, value)
    pdf.set_xy(pdf.l_margin, top + 20)


def _table(pdf: Sheet, table: ReportTable, texts: Texts) -> None:
    heading(pdf, table.title)
    if not table.rows:
        write(pdf, table.empty, 9, gray=True)
        return
    aligned = ["LEFT"] * (len(table.columns) - table.numbers) + ["RIGHT"] * table.numbers
    pdf.set_font(FONT, size=7.5)
    pdf.set_draw_color(190)
    with pdf.table(
        col_widths=tuple(table.widths),
        text_align=tuple(aligned),
        headings_style=HEAD,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        line_height=4.2,
        padding=(0.6, 1),
    ) as made:
        for cells in (table.columns, *table.rows):
            row = made.row()
            for cell in cells:
                row.cell(cell)
    if table.is_cut:
        write(pdf, texts.say("Only the first ones are shown."), 8, gray=True)


def _signature(pdf: Sheet, texts: Texts) -> None:
    if pdf.get_y() > pdf.h - 45:
        pdf.add_page()
    pdf.set_y(pdf.get_y() + 18)
    third = pdf.epw / 3
    names = texts.say("Date"), texts.say("Name"), texts.say("Signature")
    for i, name in enumerate(names):
        left = pdf.l_margin + i * third
        pdf.set_draw_color(0)
        pdf.line(left, pdf.get_y(), left + third - 6, pdf.get_y())
        pdf.set_xy(left, pdf.get_y() + 1)
        pdf.set_font(FONT, size=8)
        pdf.cell(third - 6, 4, name)
        pdf.set_y(pdf.get_y() - 1)
