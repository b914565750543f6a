"""changes.jsonl: who changed what in a product's folder, a line each, for the audit trail.

A line is written and synced before its change. A station that runs here publishes the lines, so
that they reach the archive (edge/station/change_report.py).
"""

import logging
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from edge.base.errors import ProductError
from edge.base.files import append_line
from edge.base.person import Person
from edge.events.event import RecordedChange
from edge.product.product import Product, read_version

log = logging.getLogger(__name__)

CHANGES = "changes.jsonl"


def new_change(
    by: Person, action: str, target: str, old: str = "", new: str = "", key: str = ""
) -> RecordedChange:
    """A change that is made now."""
    return RecordedChange(
        id=uuid4().hex,
        at=datetime.now(UTC).isoformat(timespec="microseconds"),
        action=action,
        target=target,
        old=old,
        new=new,
        who=by.who,
        origin=by.origin,
        key=key,
        reason=by.reason,
    )


def record_change(
    folder: Path, by: Person | None, action: str, target: str, old: str = "", new: str = ""
) -> None:
    """Append a line to a product's journal and sync it; by default the user makes the change."""
    line = new_change(by or Person(), action, target, old, new).model_dump_json()
    append_line(folder / CHANGES, line.encode())


def recorded_changes(folder: Path) -> list[RecordedChange]:
    """All lines of a product's journal, oldest first; an incomplete last line is ignored."""
    try:
        *lines, _ = (folder / CHANGES).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(RecordedChange.model_validate_json(line))
        except ValidationError:
            log.warning("%s line %d cannot be read and is ignored", folder / CHANGES, number)
    return found


def described(product: Product) -> str:
    """Version and thresholds, as the audit trail names them."""
    return f"version {product.version}, {thresholds(product)}"


def described_version(folder: Path, version: str | None) -> str:
    """The same of a version that may be damaged or missing."""
    if version is None:
        return ""
    try:
        return described(read_version(folder / version))
    except (ProductError, OSError):
        return f"version {version}"


def thresholds(product: Product) -> str:
    """The threshold of a product's scores, and those of its regions of interest."""
    calibration = product.calibration
    if calibration is None:
        return "no threshold"
    of_regions = (f"{name} {value:.4f}" for name, value in calibration.roi_thresholds.items())
    whole = calibration.whole_threshold
    return "threshold " + ", ".join([*([f"{whole:.4f}"] if whole is not None else []), *of_regions])
