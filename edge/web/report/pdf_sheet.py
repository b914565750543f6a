"""The sheet of a report as PDF: its font, page numbers, paragraphs and headings."""

from pathlib import Path

import matplotlib as mpl
from fpdf import FPDF
from fpdf.enums import XPos, YPos

FONT = "DejaVu"
GRAY = 90


class Sheet(FPDF):
    """A4 with page numbers; a font with the letters of all of Europe's languages."""

    def __init__(self, numbering: str) -> None:
        super().__init__(format="A4")
        self._numbering = numbering
        fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self.add_font(FONT, "", fonts / "DejaVuSans.ttf")
        self.add_font(FONT, "B", fonts / "DejaVuSans-Bold.ttf")
        self.set_font(FONT, size=9)
        self.set_margin(15)
        self.set_auto_page_break(True, 18)

    def footer(self) -> None:
        """The number of the page."""
        self.set_y(-14)
        self.set_font(FONT, size=8)
        self.set_text_color(GRAY)
        self.cell(0, 6, self._numbering.replace("{number}", str(self.page_no())), align="R")
        self.set_text_color(0)


def write(pdf: FPDF, text: str, size: int, *, bold: bool = False, gray: bool = False) -> None:
    """A paragraph."""
    pdf.set_font(FONT, "B" if bold else "", size)
    pdf.set_text_color(GRAY if gray else 0)
    pdf.multi_cell(0, size * 0.55, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_text_color(0)


def heading(pdf: FPDF, text: str, below_mm: float = 27.0) -> None:
    """The title of a section, on a page with room for the section's begin."""
    if pdf.get_y() + below_mm > pdf.h - 18:
        pdf.add_page()
    pdf.ln(4)
    write(pdf, text, 11, bold=True)
    pdf.ln(1)
