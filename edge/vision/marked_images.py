"""Kept images that a person has labelled: hard links below `marked/<label>/`, each with its event.

An image file there has a JSON file of the same name with the inspection's event header.
"""

import os
from pathlib import Path
from typing import Literal

from edge.base.errors import ImageError
from edge.events.event import Inspection

Label = Literal["false-reject", "missed"]

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


def marked_as(path: Path) -> str | None:
    """The label of a marked image; None where it was not marked."""
    return path.parent.name if provenance(path) else None


def provenance(path: Path) -> dict[str, object]:
    """Which part a marked image shows, for sources.json; empty where it was not marked."""
    try:
        text = path.with_suffix(".json").read_text(encoding="utf-8")
        header = Inspection.model_validate_json(text)
    except (OSError, ValueError):
        return {}
    values = {name: getattr(header, name) for name in PROVENANCE}
    return {"marked": {"as": path.parent.name, **values}}
