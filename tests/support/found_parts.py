"""A part as a search finds it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from edge.archive.search import Found

PART = Found(
    key="1-1", at=datetime(2026, 11, 2, tzinfo=UTC), station="line-1", product="lid", version="3",
    inspection_id=1, trigger_id=None, encoder=None, part_id=None, verdict="OK", code="none",
    score=0.1, threshold=0.5, roi=None, regions=0, passed_over=0, label=None, kind=None,
    picture=None, picture_state="none", mask=None, details={},
)  # fmt: skip


def found_part(**changes: Any) -> Found:
    """An OK part of line-1; `changes` are its fields."""
    return replace(PART, **changes)
