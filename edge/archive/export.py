"""Inspections as rows of a table."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from io import StringIO
from typing import Any

from edge.archive.search import Found

COLUMNS = tuple(Found.__dataclass_fields__)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(part: Found) -> dict[str, Any]:
    """An inspection as JSON has it; times in ISO 8601."""
    return asdict(part) | {"at": part.at.isoformat()}


def flat(part: Found) -> dict[str, Any]:
    """The same for tables: details as JSON text."""
    return plain(part) | {"details": json.dumps(part.details)}


def csv_lines(parts: Iterable[Found]) -> Iterator[str]:
    """CSV for spreadsheets, line by line: a text that would be a formula begins with '."""
    yield _line(COLUMNS)
    for part in parts:
        yield _line([_harmless(value) for value in flat(part).values()])


def _line(values: Iterable[Any]) -> str:
    text = StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
