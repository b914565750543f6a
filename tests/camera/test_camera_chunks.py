"""Chunk data on buffers written by hand, and frame ids with gaps, wraps and restarts."""

import struct

import pytest

from edge.camera.chunks import ENCODER, TRIGGER, number, split_chunks
from edge.camera.ids import FrameIds


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
    assert number({"ChunkEncoderValue": -1}, ENCODER) is None


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
