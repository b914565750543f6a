"""Sparkplug's payloads, decoded with the schema that protoc has compiled, and the docs' table."""

from pathlib import Path

import pytest
from esio_spb_builder.core.sparkplug_b_pb2 import DataType as Published
from esio_spb_builder.core.sparkplug_b_pb2 import Payload

from edge.bridge.line_requests import Failure
from edge.bridge.product_change import ProductChanges
from edge.bridge.protocols.sparkplug_commands import SparkplugCommands
from edge.bridge.protocols.sparkplug_metrics import (
    BD_SEQ,
    METRICS,
    NO_RESULT,
    OWNER,
    REBIRTH,
    result_values,
    samples_of,
    state_values,
)
from edge.bridge.protocols.sparkplug_payload import DataType, Metric, Sample, Value, decode, encode
from edge.bridge.signals import Signals
from edge.bridge.simulated_line import SimulatedLine
from edge.commands.bridges.sparkplug import slower
from edge.events.cursor_file import Cursor, write_cursor
from tests.support.bridge.events import inspection
from tests.support.waiting import wait_until


def value_of(one: object) -> object:
    return getattr(one, one.WhichOneof("value"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "value", "coded"),
    [
        (DataType.INT32, -2, 2**32 - 2), (DataType.INT64, -(2**63), 2**63),
        (DataType.INT64, 2**63 + 1, 2**63 + 1), (DataType.UINT64, 2**64 - 1, 2**64 - 1),
        (DataType.DOUBLE, 0.1, 0.1), (DataType.BOOLEAN, False, False),
        (DataType.STRING, "", ""), (DataType.STRING, "Lid ü", "Lid ü"), (DataType.DATETIME, 7, 7),
    ],
)  # fmt: skip
def test_sparkplug_values_are_those_of_the_published_schema(
    kind: DataType, value: Value, coded: object
) -> None:
    metric = Metric("a/b", kind, 5, "mm")
    birth = Payload.FromString(encode([Sample(metric, value, 9, quality=192)], 7, 255, birth=True))
    one = birth.metrics[0]
    assert (birth.timestamp, birth.seq, one.name, one.alias) == (7, 255, "a/b", 5)
    assert (one.timestamp, value_of(one), one.is_null) == (9, coded, False)
    assert Published.Name(one.datatype).upper() == kind.name
    assert list(one.properties.keys) == ["engUnit", "Quality"]
    assert [value_of(found) for found in one.properties.values] == ["mm", 192]
    late = Payload.FromString(encode([Sample(metric, None, 9, historical=True)], 7, None))
    one = late.metrics[0]
    assert not late.HasField("seq")
    assert (one.is_null, one.is_historical, one.WhichOneof("value")) == (True, True, None)
    assert (one.HasField("name"), one.datatype, one.alias) == (False, kind, 5)


def test_sparkplug_has_no_verdict_where_there_is_none() -> None:
    for part in (inspection(1, "NO_VERDICT"), inspection(2, "NG"), inspection(3, "OK")):
        samples = list(samples_of(result_values(part, {"lid": 4}), 0))
        verdict = next(one for one in samples if one.metric.name == "Result/Verdict")
        none = part.verdict == "NO_VERDICT"
        assert verdict.value == (None if none else part.verdict)
        assert verdict.quality == (0 if none else 192)
        assert {one.metric.name for one in samples} == set(NO_RESULT)
    assert set(state_values(Signals(), {}, None, 0)) | set(NO_RESULT) == set(METRICS)


def test_sparkplug_metrics_are_those_of_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs/plc/mqtt.md").read_text(encoding="utf-8")
    for metric in (BD_SEQ, REBIRTH, OWNER, *METRICS.values()):
        kind = Published.Name(metric.type)
        assert f"| `{metric.name}` | {kind} | {metric.unit or 'none'} |" in page, metric


def command(*metrics: dict[str, object]) -> bytes:
    payload = Payload()
    for one in metrics:
        payload.metrics.add(**one)
    data: bytes = payload.SerializeToString()
    return data


def test_sparkplug_commands_are_products_alone_and_new() -> None:
    line = SimulatedLine(1)
    with ProductChanges({1: "lid", 2: "cap"}, line, lambda: line.product) as changes:
        commands = SparkplugCommands(changes)
        assert commands.outcome() is None
        number = METRICS["Product/Number"].alias
        for wrong in (
            b"\xff", 20_000 * b"x", b"\x12\x03\x0a\x01\xff",
            command(), command({"name": "Product/Number"}),
            command({"name": "Product/Number", "int_value": 1, "is_null": True}),
            command({"name": "Product/Number", "boolean_value": True}),
            command({"name": "Product/Number", "string_value": "1"}),
            command({"name": "Product/Name", "string_value": 65 * "x"}),
            command({"name": "State/Ready", "boolean_value": True}),
            command({"name": "State/Ready", "alias": number, "int_value": 1}),
            command(*2 * [{"name": "Product/Number", "int_value": 1}]),
        ):  # fmt: skip
            commands.take(wrong, False)
            outcome = commands.outcome()
            assert outcome is not None
            assert outcome.failure == Failure.NO_COMMAND, wrong
            assert commands.has_news()
        one = command({"alias": number, "long_value": 1})
        for payload, kept, failure in (
            (one, True, Failure.STALE),
            (command({"name": "Product/Number", "int_value": 7}), False, Failure.UNKNOWN),
        ):
            commands.take(payload, kept)
            assert (outcome := commands.outcome()) is not None
            assert outcome.failure == failure
        assert line.product == "simulated"
        commands.take(one, False)
        commands.take(command({"name": "Product/Name", "string_value": "cap"}), False)
        assert (outcome := commands.outcome()) is not None
        assert outcome.failure == Failure.BUSY
        wait_until(lambda: getattr(commands.outcome(), "state", "") == "done", "the change")
        assert line.product == "lid"


def test_sparkplug_decodes_what_others_send() -> None:
    payload = Payload(timestamp=1, uuid="x", body=b"y")
    payload.metrics.add(name="a", bytes_value=b"z")
    payload.metrics.add(name="b", alias=3, float_value=0.5)
    payload.metrics.add(name="c", int_value=0)
    found = [(one.name, one.alias, one.value) for one in decode(payload.SerializeToString())]
    assert found == [("a", None, None), ("b", 3, None), ("c", None, 0)]


def test_sparkplug_and_the_record_keep_what_the_slower_has_yet_to_send(tmp_path: Path) -> None:
    record, sparkplug = tmp_path / "a", tmp_path / "b"
    assert slower(record, sparkplug) == Cursor("", 0)
    write_cursor(record, Cursor("s", 7))
    assert slower(record, sparkplug) == Cursor("s", 0)
    for theirs, kept in ((Cursor("s", 5), 5), (Cursor("s", 9), 7), (Cursor("older", 99), 0)):
        write_cursor(sparkplug, theirs)
        assert slower(record, sparkplug) == Cursor("s", kept)
