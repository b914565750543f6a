"""Inspections as rows of a table."""

import json
from dataclasses import asdict
from typing import Any

from edge.archive.search import Found

COLUMNS = tuple(Found.__dataclass_fields__)


def plain(part: Found) -> dict[str, Any]:
    """An inspection as JSON has it; times in ISO 8601."""
    return asdict(part) | {"at": part.at.isoformat()}


def flat(part: Found) -> dict[str, Any]:
    """The same for tables: details as JSON text."""
    return plain(part) | {"details": json.dumps(part.details)}
