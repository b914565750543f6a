"""Plans: compiled models of this device, each with a record that says what it was made from.

engines/<key>.plan and engines/<key>.json; a plan loads only where its record names its digest,
this model, this device and this version of the engine.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.errors import EngineError
from edge.files import write_json, write_whole
from edge.product import Product


class Key(BaseModel):
    """Everything a plan depends on. `shapes` lists the batch sizes with the image's."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    flavour: str
    version: str
    device: str
    precision: str
    shapes: str

    @property
    def name(self) -> str:
        """The plan's file name: short, and another one for every other key."""
        text = json.dumps(self.model_dump(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Record(BaseModel):
    """A plan's key, the SHA-256 of its bytes, and the figures of its proof."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: Key
    plan: str
    proven: bool
    proof: dict[str, float]
    created: str


def store_plan(product: Product, record: Record, plan: bytes) -> Path:
    """Write a proven plan; the record comes last, so that half a pair never loads."""
    product.engines.mkdir(exist_ok=True)
    path = product.engines / f"{record.key.name}.plan"
    write_whole(path, plan)
    write_json(path.with_suffix(".json"), record.model_dump())
    return path


def read_plan(product: Product, key: Key) -> bytes:
    """The plan for `key`, checked. Raises EngineError that names the field that differs."""
    mend = f"run 'draem build --product {product.name} --version {product.version}'"
    path = product.engines / f"{key.name}.plan"
    try:
        record = Record.model_validate_json(path.with_suffix(".json").read_text(encoding="utf-8"))
        plan = path.read_bytes()
    except FileNotFoundError:
        raise EngineError(f"{_why_missing(product, key)}: {mend}") from None
    except (ValidationError, ValueError) as error:
        raise EngineError(f"the record of {path} cannot be read: {mend}") from error
    if record.key != key or not record.proven:
        field = differing(record.key.model_dump(), key.model_dump()) or "proven"
        raise EngineError(f"the record of {path} differs in '{field}': {mend}")
    if hashlib.sha256(plan).hexdigest() != record.plan:
        raise EngineError(f"{path} is not the plan that its record names: {mend}")
    return plan


Value = TypeVar("Value")


def differing(a: Mapping[str, Value], b: Mapping[str, Value]) -> str | None:
    """The first field in which two keys differ."""
    return next((field for field in b if a.get(field) != b[field]), None)


def _why_missing(product: Product, key: Key) -> str:
    """What the nearest plan at hand was made for."""
    wanted = key.model_dump()
    for path in sorted(product.engines.glob("*.json")):
        try:
            found = Record.model_validate_json(path.read_text(encoding="utf-8")).key.model_dump()
        except (OSError, ValueError):
            continue
        if field := differing(found, wanted):
            return (
                f"the engine of {product.name} version {product.version} was built for another "
                f"{field} ({found[field]}, here {wanted[field]})"
            )
    return f"{product.name} version {product.version} has no engine on this device"
