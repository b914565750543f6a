"""Encoding of messages: round trips, malformed ones, versions, and the schema in docs/."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events.codes import Code
from edge.events.encoding import EventError, decode, encode, encode_mask
from edge.events.event import CodeName, Fault, Inspection, MaskPlacement, Region
from edge.events.schema import schema

COMMON = {
    "stream_id": "s",
    "seq": 3,
    "station": "station-1",
    "boot_id": "b",
    "published_ns": 12,
    "published_at": "2026-01-01T00:00:00+00:00",
}


def inspection(**changes: object) -> Inspection:
    fields: dict[str, object] = {
        "product": "lid",
        "version": "2",
        "inspection_id": 1,
        "frame_id": 9,
        "verdict": "NG",
        "code": CodeName.of(Code.NONE),
        "captured_ns": 5,
        "captured_at": "2026-01-01T00:00:00+00:00",
        "stages_ms": {"fit": 0.1},
        "score": 0.5,
        "threshold": 0.4,
        "passed_over": 0,
        "regions": [Region(box=(1, 2, 3, 4), area=12, score=0.9)],
        "mask": MaskPlacement(crop=(0, 0, 64, 64), height=32, width=32),
    }
    return Inspection.model_validate(COMMON | fields | changes)


@given(
    st.floats(0, 1) | st.none(),
    st.integers(1, 2**32 - 1),
    st.text(max_size=20),
    st.integers(0, 2**63 - 1),
)
def test_an_event_survives_the_wire(
    score: float | None, number: int, part: str, nanoseconds: int
) -> None:
    header = inspection(
        score=score, inspection_id=number, part_id=part, captured_ns=nanoseconds, trigger_id=number
    )
    mask = np.zeros((32, 32), np.uint8)
    mask[3:9, 4:5] = 255
    event = decode(encode(header, encode_mask(mask)))
    assert event.header == header
    assert event.mask is not None
    assert (event.mask == mask).all()


def test_a_fault_has_no_mask() -> None:
    header = Fault.model_validate(
        COMMON | {"code": CodeName.of(Code.CAMERA), "message": "check the cable"}
    )
    assert decode(encode(header)).mask is None


def test_unknown_fields_are_ignored() -> None:
    parts = encode(inspection())
    fields = json.loads(parts[1]) | {"schema_version": "1.7", "colour": "blue"}
    assert decode([parts[0], json.dumps(fields).encode(), b""]).header.seq == 3


@pytest.mark.parametrize("version", ["2.0", "0.9", None, 1])
def test_another_major_version_is_refused(version: object) -> None:
    fields = json.loads(encode(inspection())[1]) | {"schema_version": version}
    with pytest.raises(EventError, match="schema"):
        decode([b"inspection", json.dumps(fields).encode(), b""])


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_random_parts_are_an_event_error(parts: list[bytes]) -> None:
    with pytest.raises(EventError):
        decode(parts)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=8,
    )
)
def test_json_that_is_no_event_is_an_event_error(value: object) -> None:
    with pytest.raises(EventError):
        decode([b"", json.dumps(value).encode(), b""])


@pytest.mark.parametrize("mask", [b"no png", encode_mask(np.zeros((4, 4), np.uint8))[:30]])
def test_a_broken_mask_is_an_event_error(mask: bytes) -> None:
    with pytest.raises(EventError, match="mask"):
        decode([*encode(inspection())[:2], mask])


def test_numbers_of_codes_never_change() -> None:
    """Bridges and PLC programs hold these numbers."""
    assert {code.name.lower(): int(code) for code in Code} == {
        "none": 0,
        "overrun": 101,
        "frame_timeout": 102,
        "frame_unreadable": 103,
        "wrong_format": 104,
        "camera": 105,
        "stopped": 106,
        "outage": 107,
        "trigger_lost": 108,
        "paused": 109,
        "camera_lost": 110,
        "camera_silent": 111,
        "stale": 112,
        "incomplete": 113,
        "format_changed": 114,
        "camera_back": 115,
        "camera_settings": 116,
        "camera_hung": 117,
        "untied": 118,
        "view_missing": 131,
        "view_no_verdict": 132,
        "view_late": 133,
        "view_twice": 134,
        "views_differ": 135,
        "view_lost": 136,
        "view_fault": 137,
        "view_back": 138,
        "view_without_id": 139,
        "view_too_old": 140,
        "brightness": 201,
        "contrast": 202,
        "sharpness": 203,
        "not_aligned": 204,
        "camera_moved": 211,
        "light_changed": 212,
        "lens_dirty": 213,
        "scores_shifted": 214,
        "not_finite": 301,
        "engine": 302,
        "uncalibrated": 303,
        "internal": 401,
        "unlogged": 501,
        "cursor_dropped": 502,
    }


def test_the_schema_in_docs_is_that_of_the_code() -> None:
    kept = Path(__file__).parents[3] / "docs" / "event.schema.json"
    assert kept.read_text() == schema(), "run './just schema'"
