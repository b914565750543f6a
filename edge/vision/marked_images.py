"""Labels of kept images, written into the image file."""

import os
from pathlib import Path
from typing import Literal

from edge.base.errors import ImageError
from edge.events.event import Inspection

Label = Literal["false-reject", "missed"]


def mark(folder: Path, header: Inspection, label: Label) -> Path:
    """Pin the picture of an inspection below `marked/<label>/`, its header beside it.

    Raises ImageError where no picture of it is kept.
    """
    name = f"{header.stream_id[:8]}/{header.inspection_id}.png"
    kept = [path for shelf in ("pictures", "ring") if (path := folder / shelf / name).exists()]
    if not kept:
        raise ImageError(
            f"no picture of inspection {header.inspection_id} is kept: mark sooner, or keep more "
            "with --ring, --ok-one-in or --pictures-mb"
        )
    target = folder / "marked" / label / f"{header.stream_id[:8]}-{header.inspection_id}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.link(kept[0], target)
    target.with_suffix(".json").write_text(header.model_dump_json(indent=2), encoding="utf-8")
    return target


def marked_as(path: Path) -> str | None:
    """The label of a marked picture; None where it was not marked."""
    return path.parent.name if provenance(path) else None


def provenance(path: Path) -> dict[str, object]:
    """Which part a marked picture shows, for sources.json; nothing where it was not marked."""
    beside = path.with_suffix(".json")
    try:
        header = Inspection.model_validate_json(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    told = ("station", "stream_id", "inspection_id", "captured_at", "product", "version", "verdict")
    return {"marked": {"as": path.parent.name, **{name: getattr(header, name) for name in told}}}
