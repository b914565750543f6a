"""Sparkplug B's payload: what this bridge uses of the published protobuf schema.

Field numbers and data types: Eclipse Sparkplug 3.0, chapter 6. protobuf skips fields that are not
listed here, so that payloads of other programs are read too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

Value = bool | int | float | str | None
LONGEST_COMMAND = 10_000  # bytes
PACKAGE = "draem.sparkplug"

_Field = descriptor_pb2.FieldDescriptorProto
FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "PropertyValue": {
        "type": (1, "UINT32"), "int_value": (3, "UINT32"), "string_value": (8, "STRING"),
    },
    "PropertySet": {"keys": (1, "STRING*"), "values": (2, "PropertyValue*")},
    "Metric": {
        "name": (1, "STRING"), "alias": (2, "UINT64"), "timestamp": (3, "UINT64"),
        "datatype": (4, "UINT32"), "is_historical": (5, "BOOL"), "is_null": (7, "BOOL"),
        "properties": (9, "PropertySet"), "int_value": (10, "UINT32"),
        "long_value": (11, "UINT64"), "double_value": (13, "DOUBLE"),
        "boolean_value": (14, "BOOL"), "string_value": (15, "STRING"),
    },
    "Payload": {"timestamp": (1, "UINT64"), "metrics": (2, "Metric*"), "seq": (3, "UINT64")},
}  # fmt: skip
"""Message -> field -> (number, type); a type with * is repeated."""


class DataType(IntEnum):
    """Sparkplug's numbers of data types.

    There is no UInt32 here: implementations disagree on the field that carries it.
    """

    INT32 = 3
    INT64 = 4
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13


FIELD_OF = {
    DataType.INT32: ("int_value", 32),
    DataType.INT64: ("long_value", 64),
    DataType.UINT64: ("long_value", 64),
    DataType.DATETIME: ("long_value", 64),
    DataType.DOUBLE: ("double_value", 0),
    DataType.BOOLEAN: ("boolean_value", 0),
    DataType.STRING: ("string_value", 0),
}
"""Type -> (field of the value, bits of an integer: a negative one is its two's complement)."""


@dataclass(frozen=True)
class Metric:
    """A metric's name and type. Without an alias each message has its name."""

    name: str
    type: DataType
    alias: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class Sample:
    """A metric's value at a time (ms since 1970, UTC); None is null. `quality` as in QUALITY."""

    metric: Metric
    value: Value
    at_ms: int
    historical: bool = False
    quality: int | None = None


def encode(samples: Iterable[Sample], at_ms: int, seq: int | None, *, birth: bool = False) -> bytes:
    """A payload; a birth has names and units too, the others have aliases."""
    payload: Any = Payload(timestamp=at_ms)
    if seq is not None:
        payload.seq = seq
    for sample in samples:
        _add(payload.metrics.add(), sample, birth)
    data: bytes = payload.SerializeToString()
    return data


def _add(made: Any, sample: Sample, birth: bool) -> None:
    metric = sample.metric
    # Decoders in wide use (that of Eclipse Tahu for JavaScript) read no value without its type.
    made.timestamp, made.datatype = sample.at_ms, metric.type
    if birth or metric.alias is None:
        made.name = metric.name
    if metric.alias is not None:
        made.alias = metric.alias
    if sample.historical:
        made.is_historical = True
    if birth and metric.unit:
        made.properties.keys.append("engUnit")
        made.properties.values.add(type=DataType.STRING, string_value=metric.unit)
    if sample.quality is not None:
        made.properties.keys.append("Quality")
        made.properties.values.add(type=DataType.INT32, int_value=sample.quality)
    if sample.value is None:
        made.is_null = True
    else:
        field, bits = FIELD_OF[metric.type]
        value = int(sample.value) & ((1 << bits) - 1) if bits else sample.value
        setattr(made, field, value)


@dataclass(frozen=True)
class Written:
    """A metric of a payload that came: its name or alias, and its value; None is null."""

    name: str
    alias: int | None
    value: Value


def decode(payload: bytes, longest: int = LONGEST_COMMAND) -> list[Written]:
    """The metrics of a payload. Raises ValueError for what is none.

    Integers are as they were sent, without a sign: a command has no negative one.
    """
    if len(payload) > longest:
        raise ValueError(f"more than {longest} bytes")
    try:
        found: Any = Payload.FromString(payload)
    except DecodeError as error:
        raise ValueError("not protobuf") from error
    return list(_written(found.metrics))


def _written(metrics: Iterable[Any]) -> Iterator[Written]:
    for one in metrics:
        field = None if one.is_null else one.WhichOneof("value")
        alias = one.alias if one.HasField("alias") else None
        yield Written(one.name, alias, getattr(one, field) if field else None)


def _built() -> Any:
    """The class of payloads, in a pool of its own: another library's schema may have its names."""
    file = descriptor_pb2.FileDescriptorProto(
        name="sparkplug_b.proto", package=PACKAGE, syntax="proto2"
    )
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        if "int_value" in fields:
            message.oneof_decl.add(name="value")
        for field, (number, kind) in fields.items():
            _declare(message, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Payload"))


def _declare(message: Any, name: str, number: int, kind: str) -> None:
    label = _Field.LABEL_REPEATED if kind.endswith("*") else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    kind = kind.rstrip("*")
    if kind in FIELDS:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = getattr(_Field, f"TYPE_{kind}")
    if name.endswith("_value"):
        field.oneof_index = 0


Payload = _built()
