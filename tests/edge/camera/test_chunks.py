"""Chunk data: which values name the trigger and the encoder, and what a frame without them gets."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from edge.camera.frame_ids import FrameIds
from edge.camera.genicam.camera import GenicamCamera
from edge.camera.genicam.camera_settings import parse
from edge.camera.genicam.chunks import ENCODER, TRIGGER, ChunkReader, number
from edge.events.codes import Code
from tests.support.cameras import needs_genicam

try:
    from gi.repository import GLib
except ImportError:  # then the tests that need it are skipped
    GLib = None


def test_the_trigger_and_the_encoder_are_found_by_name() -> None:
    values = {"ChunkCounterValue": 41, "ChunkEncoderValue": 9000.0, "ChunkExposureTime": 2000.5}
    assert number(values, TRIGGER) == 41
    assert number(values, ENCODER) == 9000
    assert number(values | {"ChunkTriggerID": 7}, TRIGGER) == 7
    assert number({}, TRIGGER) is None
    assert number({"ChunkEncoderValue": -1}, ENCODER) == -1, "a belt may run back"


class Buffer:
    """A buffer of Aravis, whole unless `values`, which its parser reads, is None."""

    def __init__(self, frame_id: int, values: dict[str, float] | None) -> None:
        self.frame_id, self.values = frame_id, values

    def get_status(self) -> SimpleNamespace:
        return SimpleNamespace(value_nick="success" if self.values is not None else "missing")

    def __getattr__(self, name: str) -> Callable[[], object]:
        value = {"get_frame_id": self.frame_id, "get_timestamp": 5, "get_system_timestamp": 0,
                 "get_image_data": bytes(range(16)), "get_image_padding": (0, 0),
                 "get_image_height": 4, "get_image_width": 4,
                 "get_image_pixel_format": 0x01080001}[name]  # fmt: skip
        return lambda: value


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


def camera_with(chunks: str) -> Any:
    """A connected camera with a hardware trigger, without a device."""
    camera: Any = GenicamCamera.__new__(GenicamCamera)
    camera.settings = parse(f"genicam://x?trigger=hardware{chunks}")
    camera.ids, camera._chunks = FrameIds(), ChunkReader(Parser(), camera.settings.chunks)
    statuses = SimpleNamespace(SUCCESS=SimpleNamespace(value_nick="success"))
    camera._library = SimpleNamespace(BufferStatus=statuses)
    return camera


@needs_genicam
def test_chunks_identify_the_part_and_are_in_the_event() -> None:
    camera = camera_with("&chunks=CounterValue,EncoderValue,ExposureTime")
    values = {"ChunkCounterValue": 5000.0, "ChunkEncoderValue": -70.0, "ChunkExposureTime": 1.5}
    frame = camera._frame(Buffer(1, values))
    assert (frame.trigger_id, frame.encoder, frame.chunks) == (5000, -70, values)
    assert (frame.image == np.arange(16).reshape(4, 4)).all()
    assert camera._frame(Buffer(2, {"ChunkCounterValue": 5001.0})).code is Code.FRAME_UNREADABLE


@needs_genicam
def test_a_frame_without_its_chunks_gets_no_other_parts_id() -> None:
    """The camera counts 5000, an incomplete frame, 5002: the gap reports that 5001 was lost."""
    camera = camera_with("&chunks=CounterValue")
    counted = {7: {"ChunkCounterValue": 5000.0}, 8: None, 9: {"ChunkCounterValue": 5002.0}}
    found = [camera._frame(Buffer(frame_id, values)) for frame_id, values in counted.items()]
    assert [f.trigger_id for f in found] == [5000, None, 5002]
    assert [f.code for f in found] == [Code.NONE, Code.INCOMPLETE, Code.NONE]


@needs_genicam
def test_a_negative_counter_is_no_trigger_id() -> None:
    camera = camera_with("&chunks=CounterValue")
    assert camera._frame(Buffer(1, {"ChunkCounterValue": -1.0})).trigger_id is None


@needs_genicam
def test_frames_of_a_camera_that_does_not_count_are_counted_here() -> None:
    camera = camera_with("")
    found = [camera._frame(Buffer(i, values)) for i, values in ((7, {}), (8, None), (10, {}))]
    assert [f.trigger_id for f in found] == [1, 2, 4]
