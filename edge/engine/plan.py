"""Plans: compiled models of this device, each with a record that says what it was made from.

engines/<key>.json is the record, engines/<key>-<digest>.plan the plan that it names. A plan loads
only with a record of exactly this key that names its digest. The record is renamed into place last:
whatever is killed and when, there is the old pair or the new one.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from edge.base.errors import EngineError
from edge.base.files import write_atomic, write_json
from edge.base.validation import read_json
from edge.product.product import Product

ANY_DEVICE = "any"
"""The device of a plan that was compiled ahead of time for all GPUs of a compute capability."""


NAMES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "int8": "int8"}
"""Precisions as keys have them, with their names on the command line."""
REDUCED = ("bf16", "int8")
"""Those that may cost accuracy; the others lose nothing of model.onnx."""


class Key(BaseModel):
    """Everything a plan depends on; GPUs alone have a compute capability and multiprocessors.

    `precision` is the body's, `shape` the image's (HWC).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    flavour: str
    version: str
    device: str
    capability: str | None = None
    sm_count: int | None = None
    precision: str
    shape: str

    @property
    def name(self) -> str:
        """The plan's file name: short, and another one for every other key."""
        text = json.dumps(self.model_dump(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Record(BaseModel):
    """A plan's key, its batch sizes, the SHA-256 of its bytes, and the figures of its proof."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    key: Key
    batches: list[Annotated[int, Field(ge=1, le=999)]] = Field(min_length=1)
    plan: str = Field(pattern="^[0-9a-f]{64}$")
    proven: bool
    proof: dict[str, float]
    created: str


class Plan(NamedTuple):
    """A compiled model and its record."""

    record: Record
    data: bytes


def store_plan(product: Product, plan: Plan) -> Path:
    """Put a plan in the place of the one with the same key."""
    product.engines.mkdir(exist_ok=True)
    key = plan.record.key.name
    path = product.engines / f"{key}-{plan.record.plan[:8]}.plan"
    write_atomic(path, plan.data)
    write_json(product.engines / f"{key}.json", plan.record.model_dump())
    for old in set(product.engines.glob(f"{key}-*.plan")) - {path}:
        old.unlink(missing_ok=True)
    return path


def drop_other_precisions(product: Product, key: Key) -> None:
    """Remove the plans that differ from this one in nothing but their precision."""
    for record in records(product):
        if record.key != key and record.key.model_copy(update={"precision": key.precision}) == key:
            (product.engines / f"{record.key.name}.json").unlink(missing_ok=True)
            for plan in product.engines.glob(f"{record.key.name}-*.plan"):
                plan.unlink(missing_ok=True)


def read_plan(product: Product, key: Key, *, proven: bool = True) -> Plan:
    """The plan for `key`, checked. Raises EngineError that names the field that differs."""
    fix = f"run '{build_command(product, key)}'"
    path = product.engines / f"{key.name}.json"
    try:
        record = read_json(path, Record)
        plan = product.engines / f"{key.name}-{record.plan[:8]}.plan"
        data = plan.read_bytes()
    except FileNotFoundError:
        raise EngineError(_why_missing(product, key, fix)) from None
    except ValueError as error:
        raise EngineError(f"the record {path} cannot be read: {fix}") from error
    if record.key != key or (proven and not record.proven):
        field = differing(record.key.model_dump(), key.model_dump()) or "proven"
        raise EngineError(f"the record {path} differs in '{field}': {fix}")
    if hashlib.sha256(data).hexdigest() != record.plan:
        raise EngineError(f"{plan} is not the plan that its record names: {fix}")
    return Plan(record, data)


def build_command(product: Product, key: Key, *, prove: bool = False) -> str:
    """What makes a plan again, or proves one that was compiled ahead."""
    command = f"draem build --product {product.name} --version {product.version}"
    command += f" --flavour {key.flavour}"
    if prove:
        return f"{command} --prove"
    return command + (f" --precision {NAMES[key.precision]}" if key.precision in REDUCED else "")


def records(product: Product) -> list[Record]:
    """The records of all plans of a product that can be read."""
    found = []
    for path in sorted(product.engines.glob("*.json")):
        try:
            found.append(read_json(path, Record))
        except (OSError, ValueError):
            continue
    return found


Value = TypeVar("Value")


def differing(a: Mapping[str, Value], b: Mapping[str, Value]) -> str | None:
    """The first field in which two keys differ."""
    return next((field for field in b if a.get(field) != b[field]), None)


def _why_missing(product: Product, key: Key, fix: str) -> str:
    """What the nearest plan at hand was made for."""
    this = f"{product.name} version {product.version}"
    keys = [record.key for record in records(product)]
    ahead = {"device": ANY_DEVICE, "sm_count": None}
    if any(key.model_copy(update=ahead | {"precision": k.precision}) == k for k in keys):
        return (
            f"the engine of {this} was compiled ahead of time and is not proven on this device: "
            f"run '{build_command(product, key, prove=True)}'"
        )
    wanted = key.model_dump()
    for found in sorted(keys, key=lambda k: k.flavour != key.flavour):
        if field := differing(found.model_dump(), wanted):
            if found.flavour == key.flavour:  # in the precision that it was built in
                again = key.model_copy(update={"precision": found.precision})
                fix = f"run '{build_command(product, again)}'"
            return (
                f"the engine of {this} was built for another {field} "
                f"({found.model_dump()[field]}, here {wanted[field]}): {fix}"
            )
    return f"{this} has no engine on this device: {fix}"
