"""activations.jsonl: what moved `current`, one line before each move.

A line is on the disk before the symlink is renamed. Whatever is killed between the two, `current`
or the next line's `from` tells what was done: a line that was not carried out counts for nothing.
"""

import json
import logging
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.base.files import fsync
from edge.product.product import now

log = logging.getLogger(__name__)

ACTIVATIONS = "activations.jsonl"
Kind = Literal["activate", "rollback", "calibrate"]


class Activation(BaseModel):
    """`current` moves from `before` (None: there was none) to `to`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    at: str
    kind: Kind
    before: str | None = Field(alias="from")
    to: str


def activations(folder: Path) -> list[Activation]:
    """All lines of a product, oldest first; a last one that was torn is no line."""
    try:
        data = (folder / ACTIVATIONS).read_bytes()
    except FileNotFoundError:
        return []
    found = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            if line:
                found.append(Activation.model_validate_json(line))
        except ValidationError:
            if number < len(lines):
                log.warning("%s line %d cannot be read and is left out", ACTIVATIONS, number)
    return found


def intend(folder: Path, kind: Kind, before: str | None, to: str) -> None:
    """Put a line on the disk. The caller holds the product's lock.

    A torn line before it goes: what it meant was never begun.
    """
    path = folder / ACTIVATIONS
    line = json.dumps({"at": now(), "kind": kind, "from": before, "to": to}) + "\n"
    with path.open("a+b") as file:
        file.seek(0)
        os.ftruncate(file.fileno(), file.read().rfind(b"\n") + 1)
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())
    fsync(folder)


def before(folder: Path, current: str) -> str | None:
    """What ran before `current` became what runs; None where nothing did.

    A rollback does not count: it leads back along the same way.
    """
    lines = activations(folder)
    after = [*(line.before for line in lines[1:]), current][: len(lines)]
    done = [line for line, then in zip(lines, after, strict=True) if line.to == then]
    moves = (a for a in reversed(done) if a.kind != "rollback" and a.to == current)
    return next((move.before for move in moves), None)
