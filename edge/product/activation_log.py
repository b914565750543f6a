"""activations.jsonl: a line for each change of `current`, written and synced before the change.

When a process is killed between the line and the change, `current` or the next line's `from` shows
that the change was not made; such a line is ignored.
"""

import json
import logging
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.base.files import append_line
from edge.product.product import now

log = logging.getLogger(__name__)

ACTIVATIONS = "activations.jsonl"
Kind = Literal["activate", "rollback", "calibrate"]


class Activation(BaseModel):
    """`current` changes from `before` (None: there was none) to `to`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    at: str
    kind: Kind
    before: str | None = Field(alias="from")
    to: str


def activations(folder: Path) -> list[Activation]:
    """All lines of a product, oldest first; an incomplete last line is ignored."""
    try:
        lines = (folder / ACTIVATIONS).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, 1):
        try:
            if line:
                found.append(Activation.model_validate_json(line))
        except ValidationError:
            if number < len(lines):
                log.warning("%s line %d cannot be read and is ignored", ACTIVATIONS, number)
    return found


def log_activation(folder: Path, kind: Kind, before: str | None, to: str) -> None:
    """Append a line and sync it. The caller holds the product's `release_lock`.

    An incomplete last line is removed: its change was never begun.
    """
    line = json.dumps({"at": now(), "kind": kind, "from": before, "to": to})
    append_line(folder / ACTIVATIONS, line.encode())


def previous_version(folder: Path, current: str) -> str | None:
    """The version that ran before `current` was last activated; None where none did.

    Rollbacks are left out, so that a second rollback goes one step further back.
    """
    lines = activations(folder)
    after = [*(line.before for line in lines[1:]), current][: len(lines)]
    done = [line for line, then in zip(lines, after, strict=True) if line.to == then]
    moves = (a for a in reversed(done) if a.kind != "rollback" and a.to == current)
    return next((move.before for move in moves), None)
