"""GigE Vision and USB3 Vision cameras through Aravis.

Every buffer's status is looked at: one with missing packets is a frame with a code, and is never
judged. A lost camera is noticed by edge.camera.reconnecting, which makes a new object: Aravis's old
stream never recovers.
"""

import logging
import time
from dataclasses import replace
from typing import Any

import numpy as np

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.camera import FrameTimeout
from edge.camera.frame_ids import FrameIds
from edge.camera.genicam.aravis import asking, load, open_device
from edge.camera.genicam.camera_settings import CameraSettings
from edge.camera.genicam.chunks import ENCODER, TRIGGER, Value, number, split_chunks
from edge.camera.genicam.configure import apply
from edge.camera.genicam.pixel_formats import pixel_format, to_image
from edge.camera.trigger_matching import Trigger, TriggerMatching
from edge.events.event import Code
from edge.vision.frame import Frame

log = logging.getLogger(__name__)

POLL_US = 100_000
SETTLE_S = 0.1
LONGEST_AGE_NS = 10_000_000_000
BLANK = np.zeros((0, 0, 3), np.uint8)


class GenicamCamera(Closeable):
    """One connection to one camera; after it is lost, make another.

    `ids` and `ties` go on over several connections, so that trigger ids do not begin anew. Raises
    CameraError where there is no such camera, SettingsRefused where it keeps another value.
    """

    live = True

    def __init__(
        self,
        settings: CameraSettings,
        *,
        ids: FrameIds | None = None,
        ties: TriggerMatching | None = None,
    ) -> None:
        self.settings = settings
        self._library = library = load()
        self.ids = ids or FrameIds()
        self.ids.restart()
        self._ties = ties or TriggerMatching(settings.trigger_deadline_ms)
        name = settings.device
        self._camera = open_device(library, name)
        self._device = self._camera.get_device()
        if self._camera.is_gv_device() and not self._device.is_controller():
            raise CameraError(f"camera '{name}' is in use by another program: end that first")
        self._camera.set_range_check_policy(library.RangeCheckPolicy.ENABLE)
        if settings.packet_size is not None and self._camera.is_gv_device():
            # Left to itself Aravis takes a smaller one when packets are lost, and tells nobody.
            never = library.GvPacketSizeAdjustment.NEVER
            self._camera.gv_set_packet_size_adjustment(never)
        apply(self._camera, settings)
        pixel_format(self._camera.get_pixel_format())
        self._about = self._ask_settings()
        self._names = settings.chunks
        self._parser = self._camera.create_chunk_parser() if self._names else None
        self._order: Any = "big" if self._camera.is_gv_device() else "little"
        with self._ties.giving:  # a trigger of the connection before must not reach this one
            self._stream = self._start()
            self._ties.settle(self._settle_s())

    def _start(self) -> Any:
        name = self.settings.device
        with asking(f"camera '{name}' cannot stream", "check its network, and that it is free"):
            stream = self._camera.create_stream(None, None)
            if stream is None:
                raise CameraError(f"camera '{name}' gives no stream: is it free?")
            size = self._camera.get_payload()
            for _ in range(self.settings.buffers):
                stream.push_buffer(self._library.Buffer.new_allocate(size))
            self._camera.start_acquisition()
        return stream

    def _settle_s(self) -> float:
        """How long a picture may take that was begun before the camera was started."""
        return SETTLE_S + float(self._about.get("exposure_us", 0)) / 1e6

    def read(self) -> Frame:
        """The next frame. Raises FrameTimeout after 100 ms without one, CameraError for good."""
        if self.settings.trigger == "software":
            if (ended := self._ties.ended()) is not None:
                return ended
            if self._ties.resync:
                self._resync()
        buffer = self._stream.timeout_pop_buffer(POLL_US)
        if buffer is None:
            raise FrameTimeout(f"camera '{self.settings.device}' gave no frame in 100 ms")
        try:
            return self._frame(buffer)
        finally:
            # A frame whose first packet is lost must not show what its buffer held before.
            buffer.set_frame_id(0)
            buffer.set_system_timestamp(0)
            self._stream.push_buffer(buffer)

    def _ask_settings(self) -> dict[str, str | float]:
        """What was set, and exposure and gain as the camera has them."""
        given = self.settings.model_dump(exclude_none=True, exclude={"chunks"})
        camera = self._camera
        with asking("the camera does not tell its settings", "check its cable"):
            if camera.is_exposure_time_available():
                given["exposure_us"] = float(camera.get_exposure_time())
            if camera.is_gain_available():
                given["gain"] = float(camera.get_gain())
        return given

    def about(self) -> dict[str, str | float]:
        return self._about

    def check(self) -> None:
        """Read one register: it returns, raises CameraError, or takes seconds without a camera."""
        with asking("the camera does not answer", "check its cable, power and address"):
            self._device.read_register(0)

    def trigger(self, trigger: Trigger) -> None:
        """Take a picture for this part; where one is under way already it is an overrun."""
        with self._ties.giving:
            if not self._ties.ask(trigger):
                return
            asked_ns = time.monotonic_ns()
            try:
                with asking("the camera takes no trigger", "check its cable"):
                    self._camera.software_trigger()
            except CameraError as error:
                log.warning("%s", error)
                self._ties.give_up(Code.CAMERA_LOST, trigger)
            # A packet that was lost is sent again after half a second, to photograph another part.
            self._ties.answered(trigger, asked_ns)

    def _resync(self) -> None:
        """Start anew after a trigger without a frame: a late one must not be the next part's."""
        with self._ties.giving, asking("the camera cannot be started anew", "check its cable"):
            self._camera.stop_acquisition()
            while (buffer := self._stream.try_pop_buffer()) is not None:
                self._stream.push_buffer(buffer)
            self._camera.start_acquisition()
            self._ties.settle(self._settle_s())
            self.ids.restart()
            self._ties.resync = False

    def _frame(self, buffer: Any) -> Frame:
        frame_id = buffer.get_frame_id()
        whole = buffer.get_status() == self._library.BufferStatus.SUCCESS
        self.ids.missing(frame_id if whole or frame_id else None)
        made = Frame(
            BLANK, frame_id, captured_ns(buffer), camera_ns=buffer.get_timestamp(), code=Code.NONE
        )
        if not whole:
            log.debug("frame %d: %s", frame_id, buffer.get_status().value_nick)
            made = replace(made, code=Code.INCOMPLETE)
        else:
            made = self._filled(made, buffer)
        return self._tied(made)

    def _filled(self, frame: Frame, buffer: Any) -> Frame:
        """With its picture and its chunks; where the bytes are not what they say, with a code."""
        try:
            data, padding = buffer.get_image_data(), buffer.get_image_padding()[0]
            where = (buffer.get_image_height(), buffer.get_image_width())
            image = to_image(data, buffer.get_image_pixel_format(), *where, padding)
            return replace(frame, image=image, chunks=self._chunks(buffer))
        except ValueError as error:
            log.warning("frame %d: %s", frame.frame_id, error)
            return replace(frame, code=Code.FRAME_UNREADABLE)

    def _chunks(self, buffer: Any) -> dict[str, Value]:
        """The asked chunks by name; raises ValueError where they are damaged or one is missing."""
        if self._parser is None:
            return {}
        split_chunks(buffer.get_data(), self._order)
        return {f"Chunk{name}": self._chunk(buffer, f"Chunk{name}") for name in self._names}

    def _chunk(self, buffer: Any, name: str) -> Value:
        from gi.repository import GLib

        assert self._parser is not None
        for get in (self._parser.get_integer_value, self._parser.get_float_value):
            try:
                value: Value = get(buffer, name)
            except GLib.Error:
                continue
            return value
        raise ValueError(f"the frame carries no {name}")

    def _tied(self, frame: Frame) -> Frame:
        if self.settings.trigger == "software":
            return self._ties.tie(frame)
        if self.settings.trigger == "off":
            return frame
        # Where the camera counts, a frame whose chunks are lost has no id: ours is another count.
        counts = any(f"Chunk{name}" in TRIGGER for name in self._names)
        trigger_id = number(frame.chunks, TRIGGER) if counts else self.ids.count
        return replace(
            frame,
            trigger_id=None if trigger_id is not None and trigger_id < 0 else trigger_id,
            encoder=number(frame.chunks, ENCODER),
        )

    def close(self) -> None:
        """Give the camera back; takes seconds where it no longer answers."""
        try:
            with asking("the camera cannot be stopped", "it is gone already"):
                self._camera.stop_acquisition()
        except CameraError as error:
            log.debug("%s", error)
        self._stream = self._parser = self._device = self._camera = None


def check_mode(settings: CameraSettings, *, triggered: bool) -> None:
    """Raise CameraError where address and mode do not belong together."""
    if triggered and settings.trigger == "off":
        raise CameraError(
            "--mode triggered needs a trigger in the camera's address: add trigger=hardware&line="
            "Line0 (or trigger=software), or use --mode free-running"
        )
    if not triggered and settings.trigger != "off":
        raise CameraError(
            f"the address says trigger={settings.trigger}: add --mode triggered, so that every "
            "trigger ends in an event"
        )


def captured_ns(buffer: Any) -> int:
    """When the frame's first packet came, on the monotonic clock.

    Aravis stamps it with the wall clock; one that was set in between gives the present moment.
    """
    now = time.monotonic_ns()
    age = time.time_ns() - int(buffer.get_system_timestamp())
    return now - age if 0 <= age <= LONGEST_AGE_NS else now
