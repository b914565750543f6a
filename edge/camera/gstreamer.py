"""A GStreamer pipeline as a camera: gst://v4l2src device=/dev/video0 ! videoconvert.

The pipeline ends in an appsink that is read through `gi`. It keeps one frame and drops older ones:
the frame that is judged is the newest. JPEG is decoded here, strictly.
"""

import ctypes
import re
import time
from typing import Any

import numpy as np

from edge.base.closeable import Closeable
from edge.base.errors import CameraError, ImageError
from edge.camera import NO_PICTURE, FrameTimeout
from edge.camera.address import login_hint, without_password
from edge.events.codes import Code
from edge.vision.frame import Frame
from edge.vision.image_files import decode_image

PREFIX = "gst://"
SINK = "appsink name=draem sync=false max-buffers=1 drop=true emit-signals=false"
TO_BGR = "videoconvert ! video/x-raw,format=BGR ! "
ENDS_IN_JPEG = re.compile(r"!\s*image/jpeg[^!]*$")
POLL_NS = 100_000_000
UNWINDER = "libgcc_s.so.1"


def load() -> Any:
    """GStreamer. Raises CameraError where it is not installed."""
    # GStreamer loads libunwind, whose functions would then be those of every library that is loaded
    # later: a C++ exception in OpenVINO or matplotlib would end the process. libgcc's go first.
    ctypes.CDLL(UNWINDER, ctypes.RTLD_GLOBAL)
    try:
        import gi

        gi.require_version("Gst", "1.0")
        gi.require_version("GstApp", "1.0")
        from gi.repository import Gst, GstApp  # noqa: F401  GstApp gives the sink its methods
    except (ImportError, ValueError) as error:
        raise CameraError(
            "gst:// needs GStreamer: sudo apt-get install gir1.2-gst-plugins-base-1.0 "
            "gstreamer1.0-plugins-good libgirepository1.0-dev libcairo2-dev pkg-config gcc "
            "python3-dev, then ./just setup (or pip install '.[genicam]')"
        ) from error
    Gst.init(None)
    return Gst


class GstCamera(Closeable):
    """Frames of a pipeline given without its sink; read through edge.camera.reconnecting."""

    live = True

    def __init__(self, source: str) -> None:
        self._gst = gst = load()
        from gi.repository import GLib

        pipeline = source.removeprefix(PREFIX).strip().removesuffix("!")
        self._text = text = without_password(pipeline)
        self._hint = login_hint(source)
        try:
            to_bgr = "" if ENDS_IN_JPEG.search(pipeline) else TO_BGR
            self._pipeline = gst.parse_launch(f"{pipeline} ! {to_bgr}{SINK}")
        except GLib.Error as error:
            raise CameraError(
                f"the pipeline '{text}' is wrong: {error.message}; correct --source"
            ) from error
        self._sink, self._bus = self._pipeline.get_by_name("draem"), self._pipeline.get_bus()
        self._count = 0
        self._refuse_jpeg_decoders()
        if self._pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE:
            reason = self._end_reason() or "it does not start"
            self.close()
            raise CameraError(f"the pipeline '{text}' fails: {reason}{self._hint}")

    def about(self) -> dict[str, str | float]:
        return {"pipeline": self._text}

    def read(self) -> Frame:
        """The newest frame. Raises FrameTimeout after 100 ms, CameraError where it ends."""
        sample = self._sink.try_pull_sample(POLL_NS)
        captured = time.monotonic_ns()
        if sample is None:
            if (reason := self._end_reason()) is not None:
                raise CameraError(f"the pipeline has ended: {reason}{self._hint}")
            raise FrameTimeout("the pipeline gave no frame in 100 ms")
        if self._count == 0:
            self._refuse_jpeg_decoders()  # decodebin has made its own by now
        self._count += 1
        return self._frame(sample, captured)

    def _refuse_jpeg_decoders(self) -> None:
        """GStreamer's fill the missing part of a cut picture with gray, and report nothing."""
        jpeg, elements = self._gst.Caps.from_string("image/jpeg"), self._pipeline.iterate_recurse()
        while (found := elements.next())[0] is self._gst.IteratorResult.OK:
            factory = found[1].get_factory()
            is_decoder = "Decoder" in factory.get_metadata("klass")
            is_bin = isinstance(found[1], self._gst.Bin)
            if is_decoder and not is_bin and factory.can_sink_any_caps(jpeg):
                raise CameraError(
                    f"the pipeline '{self._text}' decodes JPEG with {factory.get_name()}, which "
                    "hides cut pictures: end it in '! image/jpeg' instead"
                )

    def _frame(self, sample: Any, captured_ns: int) -> Frame:
        structure = sample.get_caps().get_structure(0)
        if structure.get_name() == "image/jpeg":
            return self._jpeg(sample.get_buffer(), captured_ns)
        width, height = structure.get_value("width"), structure.get_value("height")
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        stride = -(-width * 3 // 4) * 4  # GStreamer pads rows to four bytes
        if buffer.has_flags(self._gst.BufferFlags.CORRUPTED):
            # A decoder that missed packets fills the gap, and reports it in this flag alone.
            return Frame(NO_PICTURE, self._count, captured_ns, code=Code.INCOMPLETE)
        if len(data) < height * stride:
            return Frame(NO_PICTURE, self._count, captured_ns, code=Code.FRAME_UNREADABLE)
        rows = np.frombuffer(data, np.uint8, height * stride).reshape(height, stride)
        image = rows[:, : width * 3].reshape(height, width, 3)
        return Frame(image, self._count, captured_ns)

    def _jpeg(self, buffer: Any, captured_ns: int) -> Frame:
        try:
            image = decode_image(buffer.extract_dup(0, buffer.get_size()), "the frame")
        except ImageError:
            return Frame(NO_PICTURE, self._count, captured_ns, code=Code.INCOMPLETE)
        return Frame(image, self._count, captured_ns)

    def _end_reason(self) -> str | None:
        """Why the pipeline has ended, if it has."""
        kinds = self._gst.MessageType
        message = self._bus.pop_filtered(kinds.ERROR | kinds.EOS)
        if message is None:
            return None
        if message.type == kinds.EOS:
            return "no more frames come"
        return str(message.parse_error()[0].message)

    def close(self) -> None:
        self._pipeline.set_state(self._gst.State.NULL)
