"""The pictures of a report as PDF."""

import io
from collections.abc import Sequence

from edge.archive.archive import Archive
from edge.archive.errors import ArchiveError
from edge.archive.search import Found
from edge.web.report.pdf_sheet import FONT, Sheet, heading
from edge.web.texts import Texts

PICTURE_WIDTH_MM, PICTURE_MM, CAPTION_MM = 56.0, 42.0, 10.0
PICTURE_PIXELS = 420


def add_pictures(pdf: Sheet, parts: Sequence[Found], texts: Texts, archive: Archive) -> None:
    """Small pictures of parts, three in a row."""
    heading(pdf, texts.say("Worst parts"), PICTURE_MM + CAPTION_MM + 10)
    for i, part in enumerate(parts):
        column = i % 3
        if column == 0:
            if pdf.get_y() + PICTURE_MM + CAPTION_MM > pdf.h - 18:
                pdf.add_page()
            top = pdf.get_y()
        left = pdf.l_margin + column * (PICTURE_WIDTH_MM + 5)
        _picture(pdf, left, top, part, texts, archive)
        if column == 2 or i == len(parts) - 1:
            pdf.set_xy(pdf.l_margin, top + PICTURE_MM + CAPTION_MM + 2)


def _picture(
    pdf: Sheet, left: float, top: float, part: Found, texts: Texts, archive: Archive
) -> None:
    data = None
    try:
        data = archive.thumbnail(part.picture, PICTURE_PIXELS) if part.picture else None
    except ArchiveError:  # its file is gone: the report goes on without it
        data = None
    if data:
        pdf.image(io.BytesIO(data), left, top, PICTURE_WIDTH_MM, PICTURE_MM, keep_aspect_ratio=True)
    else:
        pdf.rect(left, top, PICTURE_WIDTH_MM, PICTURE_MM)
        pdf.set_xy(left, top + PICTURE_MM / 2)
        pdf.set_font(FONT, size=8)
        pdf.cell(PICTURE_WIDTH_MM, 4, texts.say("no picture"), align="C")
    pdf.set_font(FONT, size=7)
    for i, text in enumerate(caption_of(part, texts)):
        pdf.set_xy(left, top + PICTURE_MM + 1 + 4 * i)
        pdf.cell(PICTURE_WIDTH_MM, 4, text[:48])


def caption_of(part: Found, texts: Texts) -> tuple[str, str]:
    """Two lines below a picture: which part, and how bad."""
    which = part.part_id or f"{part.station} {part.inspection_id}"
    times = (part.score or 0.0) / (part.threshold or 1.0)
    factor = texts.number(times, 2)
    return (
        f"{texts.time(part.at)} {which}",
        texts.say("{factor} times the threshold", factor=factor),
    )
