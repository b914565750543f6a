"""One connection to a GigE Vision or USB3 Vision camera, through Aravis.

A buffer with missing packets becomes a frame with a code, which is never judged. A lost connection
is detected by edge.camera.reconnecting, which makes a new object: Aravis's old stream never
recovers.
"""

import logging
import time
from dataclasses import replace
from typing import Any

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.camera import NO_PICTURE, FrameTimeout
from edge.camera.frame_ids import FrameIds
from edge.camera.genicam.aravis import aravis_errors, in_use, load, open_device
from edge.camera.genicam.camera_settings import CameraSettings
from edge.camera.genicam.chunks import ENCODER, TRIGGER, ChunkReader, number
from edge.camera.genicam.configure import apply
from edge.camera.genicam.pixel_formats import pixel_format, to_image
from edge.camera.trigger_matching import Trigger, TriggerMatcher
from edge.events.codes import Code
from edge.vision.frame import Frame

log = logging.getLogger(__name__)

POLL_US = 100_000
SETTLE_S = 0.1
MAX_AGE_NS = 10_000_000_000


class GenicamCamera(Closeable):
    """One connection to one camera; after it is lost, make another.

    `ids` and `matcher` are kept over all connections, so that trigger ids do not restart. Raises
    CameraError where there is no such camera, SettingsRefused where it keeps another value.
    """

    live = True

    def __init__(
        self,
        settings: CameraSettings,
        *,
        ids: FrameIds | None = None,
        matcher: TriggerMatcher | None = None,
    ) -> None:
        self.settings = settings
        self._library = library = load()
        self.ids = ids or FrameIds()
        self.ids.restart()
        self._matcher = matcher or TriggerMatcher(settings.trigger_deadline_ms)
        self._camera = camera = open_device(library, settings.device)
        self._device = camera.get_device()
        if in_use(camera):
            raise CameraError(
                f"camera '{settings.device}' is in use by another program: end that first"
            )
        camera.set_range_check_policy(library.RangeCheckPolicy.ENABLE)
        if settings.packet_size is not None and camera.is_gv_device():
            # By default Aravis takes a smaller one when packets are lost, without reporting it.
            camera.gv_set_packet_size_adjustment(library.GvPacketSizeAdjustment.NEVER)
        apply(camera, settings)
        pixel_format(camera.get_pixel_format())
        self._about = self._read_settings()
        parser = camera.create_chunk_parser() if settings.chunks else None
        self._chunks: Any = ChunkReader(parser, settings.chunks)
        with self._matcher.commanding:  # a trigger of the old connection must not reach this one
            self._stream = self._start()
            self._matcher.refuse_for(self._settle_s())

    def _start(self) -> Any:
        name = self.settings.device
        failure = f"camera '{name}' cannot stream"
        with aravis_errors(failure, "check its network, and that it is free"):
            stream = self._camera.create_stream(None, None)
            if stream is None:
                raise CameraError(f"{failure}: check that no other program uses it")
            size = self._camera.get_payload()
            for _ in range(self.settings.buffers):
                stream.push_buffer(self._library.Buffer.new_allocate(size))
            self._camera.start_acquisition()
        return stream

    def _settle_s(self) -> float:
        """How long a picture may take that was begun before the camera was started."""
        return SETTLE_S + float(self._about.get("exposure_us", 0)) / 1e6

    def _read_settings(self) -> dict[str, str | float]:
        """What was set, and exposure and gain as the camera has them."""
        about = self.settings.model_dump(exclude_none=True, exclude={"chunks"})
        camera = self._camera
        with aravis_errors("the camera's settings cannot be read", "check its cable"):
            if camera.is_exposure_time_available():
                about["exposure_us"] = float(camera.get_exposure_time())
            if camera.is_gain_available():
                about["gain"] = float(camera.get_gain())
        return about

    def about(self) -> dict[str, str | float]:
        return self._about

    def read(self) -> Frame:
        """The next frame. Raises FrameTimeout after 100 ms without one, CameraError for good."""
        if self.settings.trigger == "software":
            if (ended := self._matcher.next_ended()) is not None:
                return ended
            if self._matcher.needs_restart:
                self._restart()
        buffer = self._stream.timeout_pop_buffer(POLL_US)
        if buffer is None:
            raise FrameTimeout(f"camera '{self.settings.device}' gave no frame in 100 ms")
        try:
            return self._frame(buffer)
        finally:
            # A frame whose first packet is lost must not have the values of its buffer's last one.
            buffer.set_frame_id(0)
            buffer.set_system_timestamp(0)
            self._stream.push_buffer(buffer)

    def _restart(self) -> None:
        """After a trigger without a frame: a late frame must not be taken for the next part's."""
        failure = "the camera's acquisition cannot be restarted"
        with self._matcher.commanding, aravis_errors(failure, "check its cable"):
            self._camera.stop_acquisition()
            while (buffer := self._stream.try_pop_buffer()) is not None:
                self._stream.push_buffer(buffer)
            self._camera.start_acquisition()
            self._matcher.refuse_for(self._settle_s())
            self.ids.restart()
            self._matcher.needs_restart = False

    def check(self) -> None:
        """Read one register: it returns, raises CameraError, or takes seconds without a camera."""
        with aravis_errors("the camera does not answer", "check its cable, power and address"):
            self._device.read_register(0)

    def trigger(self, trigger: Trigger) -> None:
        """Take a picture of this part; where one is in progress already it is an overrun."""
        with self._matcher.commanding:
            if not self._matcher.begin(trigger):
                return
            sent_ns = time.monotonic_ns()
            try:
                with aravis_errors("the camera refuses the trigger", "check its cable"):
                    self._camera.software_trigger()
            except CameraError as error:
                log.warning("%s", error)
                self._matcher.fail(Code.CAMERA_LOST, trigger)
            # A lost packet is sent again after half a second, and would photograph another part.
            self._matcher.acknowledged(trigger, sent_ns)

    def _frame(self, buffer: Any) -> Frame:
        """The frame in a buffer, with its picture, its chunks and the ids of its trigger."""
        frame_id = buffer.get_frame_id()
        whole = buffer.get_status() == self._library.BufferStatus.SUCCESS
        self.ids.follow(frame_id if whole or frame_id else None)
        frame = Frame(
            NO_PICTURE,
            frame_id,
            captured_ns(buffer),
            camera_ns=buffer.get_timestamp(),
            code=Code.NONE,
        )
        if not whole:
            log.debug("frame %d: %s", frame_id, buffer.get_status().value_nick)
            return self._matched(replace(frame, code=Code.INCOMPLETE))
        try:
            data, padding = buffer.get_image_data(), buffer.get_image_padding()[0]
            height_width = (buffer.get_image_height(), buffer.get_image_width())
            image = to_image(data, buffer.get_image_pixel_format(), *height_width, padding)
            frame = replace(frame, image=image, chunks=self._chunks.read(buffer))
        except ValueError as error:
            log.warning("frame %d: %s", frame_id, error)
            frame = replace(frame, code=Code.FRAME_UNREADABLE)
        return self._matched(frame)

    def _matched(self, frame: Frame) -> Frame:
        if self.settings.trigger == "software":
            return self._matcher.match(frame)
        if self.settings.trigger == "off":
            return frame
        # Where the camera counts, a frame whose chunks are lost has no id: ours is another count.
        counts = self._chunks.has_trigger_id
        trigger_id = number(frame.chunks, TRIGGER) if counts else self.ids.count
        return replace(
            frame,
            trigger_id=None if trigger_id is not None and trigger_id < 0 else trigger_id,
            encoder=number(frame.chunks, ENCODER),
        )

    def close(self) -> None:
        """Give the camera back; takes seconds where it no longer answers."""
        try:
            with aravis_errors("the camera cannot be stopped", "nothing to do: it is disconnected"):
                self._camera.stop_acquisition()
        except CameraError as error:
            log.debug("%s", error)
        self._stream = self._chunks = self._device = self._camera = None


def captured_ns(buffer: Any) -> int:
    """When the frame's first packet came, on the monotonic clock.

    Aravis stamps it with the wall clock; if that was set in between, the present time is returned.
    """
    now = time.monotonic_ns()
    age = time.time_ns() - int(buffer.get_system_timestamp())
    return now - age if 0 <= age <= MAX_AGE_NS else now
