"""Chunk data on buffers written by hand, and frame ids with gaps, wraps and restarts."""

import struct
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from edge.camera.frame_ids import FrameIds
from edge.camera.genicam.camera import GenicamCamera
from edge.camera.genicam.camera_settings import parse
from edge.camera.genicam.chunks import ENCODER, TRIGGER, number, split_chunks
from edge.events.event import Code
from tests.support.cameras import needs_genicam

try:
    from gi.repository import GLib
except ImportError:  # then what needs it is skipped
    GLib = None


def chunk(ident: int, data: bytes, order: str = ">") -> bytes:
    return data + struct.pack(order + "II", ident, len(data))


IMAGE = bytes(range(32))


def test_chunks_are_read_from_the_end() -> None:
    data = chunk(1, IMAGE) + chunk(0x1003, struct.pack(">d", 2000.5)) + chunk(0x10A5, b"\0\0\1\2")
    assert split_chunks(data) == {1: IMAGE, 0x1003: struct.pack(">d", 2000.5), 0x10A5: b"\0\0\1\2"}


def test_chunks_of_usb3_vision_are_little_endian() -> None:
    data = chunk(1, IMAGE, "<") + chunk(7, b"ab", "<")
    assert split_chunks(data, "little") == {1: IMAGE, 7: b"ab"}
    with pytest.raises(ValueError, match="says"):
        split_chunks(data)


def test_chunks_may_be_empty() -> None:
    assert split_chunks(chunk(1, b"")) == {1: b""}
    assert split_chunks(b"") == {}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"abc", "too many"),
        (b"abc" + chunk(1, IMAGE), "too many"),
        (struct.pack(">II", 1, 5), "fewer"),
        (chunk(1, IMAGE)[:-1], "fewer"),
        (chunk(1, IMAGE) + chunk(1, IMAGE), "twice"),
    ],
)
def test_chunks_that_do_not_add_up(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        split_chunks(data)


def test_chunk_values_that_name_the_trigger_and_the_encoder() -> None:
    values = {"ChunkCounterValue": 41, "ChunkEncoderValue": 9000.0, "ChunkExposureTime": 2000.5}
    assert number(values, TRIGGER) == 41
    assert number(values, ENCODER) == 9000
    assert number(values | {"ChunkTriggerID": 7}, TRIGGER) == 7
    assert number({}, TRIGGER) is None
    assert number({"ChunkEncoderValue": -1}, ENCODER) == -1, "a belt may run back"


class Buffer:
    """A buffer of Aravis with a whole picture and chunks; `values` are what its parser reads."""

    def __init__(self, frame_id: int, values: dict[str, float] | None) -> None:
        self.frame_id, self.values = frame_id, values

    def get_data(self) -> bytes:
        return chunk(1, bytes(16)) + chunk(2, b"\0" * 8)

    def get_status(self) -> SimpleNamespace:
        return SimpleNamespace(value_nick="success" if self.values is not None else "missing")

    def __getattr__(self, name: str) -> Callable[[], object]:
        told = {"get_frame_id": self.frame_id, "get_timestamp": 5, "get_system_timestamp": 0,
                "get_image_data": bytes(range(16)), "get_image_padding": (0, 0),
                "get_image_height": 4, "get_image_width": 4,
                "get_image_pixel_format": 0x01080001}[name]  # fmt: skip
        return lambda: told


class Parser:
    """Reads as Aravis's does: an integer where it is one, an error where there is none."""

    def get_integer_value(self, buffer: Buffer, name: str) -> int:
        value = self.get_float_value(buffer, name)
        if value != int(value):
            raise GLib.Error("no integer")
        return int(value)

    def get_float_value(self, buffer: Buffer, name: str) -> float:
        assert buffer.values is not None
        if name not in buffer.values:
            raise GLib.Error("no such chunk")
        return buffer.values[name]


def hardware(chunks: str) -> GenicamCamera:
    """A camera with a hardware trigger as it is once connected, without a device."""
    camera = GenicamCamera.__new__(GenicamCamera)
    camera.settings = parse(f"genicam://x?trigger=hardware{chunks}")
    camera.ids, camera._names = FrameIds(), camera.settings.chunks
    camera._parser = Parser() if chunks else None
    camera._order = "big"
    statuses = SimpleNamespace(SUCCESS=SimpleNamespace(value_nick="success"))
    camera._library = SimpleNamespace(BufferStatus=statuses)
    return camera


@needs_genicam
def test_genicam_chunks_name_the_part_and_go_into_the_event() -> None:
    camera = hardware("&chunks=CounterValue,EncoderValue,ExposureTime")
    values = {"ChunkCounterValue": 5000.0, "ChunkEncoderValue": -70.0, "ChunkExposureTime": 1.5}
    frame = camera._frame(Buffer(1, values))
    assert (frame.trigger_id, frame.encoder, frame.chunks) == (5000, -70, values)
    assert (frame.image == np.arange(16).reshape(4, 4)).all()
    assert camera._frame(Buffer(2, {"ChunkCounterValue": 5001.0})).code is Code.FRAME_UNREADABLE


@needs_genicam
def test_genicam_frame_without_its_chunks_takes_no_other_parts_id() -> None:
    """The camera counts 5000, an incomplete frame, 5002: the gap tells that 5001 was lost."""
    camera = hardware("&chunks=CounterValue")
    counted = {7: {"ChunkCounterValue": 5000.0}, 8: None, 9: {"ChunkCounterValue": 5002.0}}
    told = [camera._frame(Buffer(frame_id, values)) for frame_id, values in counted.items()]
    assert [f.trigger_id for f in told] == [5000, None, 5002]
    assert [f.code for f in told] == [Code.NONE, Code.INCOMPLETE, Code.NONE]


@needs_genicam
def test_genicam_frames_of_a_camera_that_does_not_count_are_counted_here() -> None:
    camera = hardware("")
    told = [camera._frame(Buffer(i, values)) for i, values in ((7, {}), (8, None), (10, {}))]
    assert [f.trigger_id for f in told] == [1, 2, 4]


def test_camera_ids_gaps_are_counted() -> None:
    ids = FrameIds()
    assert [ids.missing(i) for i in (10, 11, 14, 15)] == [0, 0, 2, 0]
    assert ids.count == 6


def test_camera_ids_wrap_from_65535_to_1() -> None:
    ids = FrameIds()
    assert [ids.missing(i) for i in (65534, 65535, 1, 2)] == [0, 0, 0, 0]
    ids = FrameIds()
    assert [ids.missing(i) for i in (65534, 3)] == [0, 3]
    assert ids.count == 5


def test_camera_ids_of_64_bits_do_not_wrap() -> None:
    ids = FrameIds()
    assert [ids.missing(i) for i in (65535, 65536, 70000)] == [0, 0, 4463]


def test_camera_ids_that_were_lost_with_their_first_packet_fill_the_gap() -> None:
    ids = FrameIds()
    assert [ids.missing(i) for i in (5, None, 8, None, 10, 11)] == [0, 0, 1, 0, 0, 0]
    assert (ids.count, ids.lost) == (7, 1)


def test_camera_ids_that_begin_anew_are_no_gap() -> None:
    ids = FrameIds()
    ids.missing(40000)
    assert ids.missing(39999) == 0
    ids.restart()
    assert ids.missing(60000) == 0
    assert ids.count == 3
