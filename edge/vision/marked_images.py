"""Images from the line: which part each shows, in a JSON file of the same name.

Kept images that a person has labelled are hard links below `marked/<label>/`, each with its event's
header. Pictures of an archive are copies with an `ArchivedPart` (edge.archive.data_set).
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.base.errors import ImageError
from edge.base.text import decode_text
from edge.events.event import Inspection

Label = Literal["false-reject", "missed"]

ARCHIVE = "archive:"
"""Begins a query of an archive, and the name of a picture from one."""

PROVENANCE = (
    "station",
    "stream_id",
    "inspection_id",
    "captured_at",
    "product",
    "version",
    "verdict",
)


def mark(folder: Path, header: Inspection, label: Label) -> Path:
    """Keep the image of an inspection below `marked/<label>/`, its event header beside it.

    Raises ImageError where no image of it is kept.
    """
    name = f"{header.stream_id[:8]}/{header.inspection_id}.png"
    kept = [path for store in ("pictures", "ring") if (path := folder / store / name).exists()]
    if not kept:
        raise ImageError(
            f"no image of inspection {header.inspection_id} is kept: mark it sooner, or keep more "
            "with --ring, --ok-one-in or --pictures-mb"
        )
    target = folder / "marked" / label / name.replace("/", "-")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.link(kept[0], target)
    target.with_suffix(".json").write_text(header.model_dump_json(indent=2), encoding="utf-8")
    return target


class ArchivedPart(BaseModel):
    """The part of an archive that a picture shows, and the query that found it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    query: str
    station: str
    inspection_id: int
    captured_at: str
    product: str
    version: str
    verdict: str
    label: str | None
    kind: str | None


def marked_as(path: Path) -> str | None:
    """The label of an image from the line, `archived` where it has none; None for other images."""
    known = _read(path)
    if isinstance(known, ArchivedPart):
        return known.label or "archived"
    return path.parent.name if known else None


def provenance(path: Path) -> dict[str, object]:
    """Which part an image from the line shows, for sources.json; empty for other images.

    The path of an archived one is its name in the archive: its file is temporary.
    """
    known = _read(path)
    if isinstance(known, ArchivedPart):
        return {"path": f"{ARCHIVE}{known.key}", "archived": known.model_dump()}
    if known is None:
        return {}
    values = {name: getattr(known, name) for name in PROVENANCE}
    return {"marked": {"as": path.parent.name, **values}}


def shown_name(path: Path) -> str:
    """The name of an image for messages."""
    return str(provenance(path).get("path", path))


def _read(path: Path) -> Inspection | ArchivedPart | None:
    try:
        text = decode_text(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return None
    for kind in (Inspection, ArchivedPart):
        try:
            return kind.model_validate_json(text)
        except ValidationError:
            continue
    return None
