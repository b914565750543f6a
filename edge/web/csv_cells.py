"""Cells of CSV files that people open with a spreadsheet."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe(cell: object) -> object:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
