"""Random messages to real sockets (`./just fuzz` sends more), decoders and request handlers."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.base.errors import DraemError
from edge.events.encoding import EventError, decode_live
from edge.events.server import Peer
from edge.station.control import Controls
from edge.station.control import answer as control_answer
from tests.measure.fuzz import fuzz
from tests.support.minimal_station import PRODUCT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_security_random_messages_to_every_socket_change_no_event() -> None:
    """`fuzz` raises for a missing event, a station that has ended, or memory that grows."""
    fuzz(600)


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.binary(max_size=200), max_size=5))
def test_security_no_message_breaks_a_subscriber(parts: list[bytes]) -> None:
    with pytest.raises(EventError):
        decode_live(parts)


@settings(max_examples=100, deadline=None)
@given(fields=st.dictionaries(st.text(), JSON), kind=st.sampled_from(["inspection", "heartbeat"]))
def test_security_no_header_breaks_a_subscriber(fields: dict[str, object], kind: str) -> None:
    fields = {"schema_version": "1.0", "kind": kind} | fields
    with pytest.raises(EventError):
        decode_live([kind.encode(), json.dumps(fields).encode(), b""])


@settings(max_examples=100, deadline=None)
@given(fields=JSON | st.fixed_dictionaries({"request": JSON}))
def test_security_no_request_breaks_control(fields: object) -> None:
    controls = Controls(PRODUCT)
    with pytest.raises((ValidationError, DraemError)):
        control_answer(json.dumps(fields).encode(), Peer(), controls)
    assert not controls.paused
