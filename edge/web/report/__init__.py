"""The report of a shift: a page to print, PDF and CSV; written into a folder when a shift ends."""

import logging

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it logs each table of each font
