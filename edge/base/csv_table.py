"""Tables as CSV, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A heading and a line for each row; other keys of the rows are left out.

    A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV
    injection).
    """
    yield csv_line(names)
    for row in rows:
        yield csv_line([row[name] for name in names])


def csv_line(values: Iterable[Any]) -> str:
    """One line of such a table."""
    text = io.StringIO()
    csv.writer(text).writerow(map(_harmless, values))
    return text.getvalue()


def csv_table(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A whole table, in UTF-8."""
    return "".join(csv_lines(names, rows)).encode()


def _harmless(value: Any) -> Any:
    is_formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if is_formula else value
