"""Video files, V4L2 cameras and network streams through PyAV, which is FFmpeg."""

import logging
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

import av
from av.container import InputContainer
from av.logging import Capture

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.base.text import printable
from edge.camera import NO_PICTURE, EndOfStream
from edge.camera.address import login_hint, without_password
from edge.camera.video_decoder import Picture, VideoDecoder
from edge.events.codes import Code
from edge.vision.frame import Frame

log = logging.getLogger(__name__)

OPEN_S = 5.0
OPTIONS = {
    # FFmpeg logs lost packets only where it has a queue; two packets cost no time. It would read up
    # to five seconds of the stream before the first frame.
    "rtsp": {
        **{"rtsp_transport": "tcp", "reorder_queue_size": "2", "probesize": "32"},
        "allowed_media_types": "video",  # what its sound loses is no matter
    },
    "v4l2": {"probesize": "32"},
}
# While it opens a stream FFmpeg also warns that it cannot estimate rates and durations.
LOST_WHILE_OPENING = re.compile(r"RTP: |jitter buffer full|[Dd]ropping|[Mm]issing|start chunk")

LogLines = Iterable[tuple[int, str, str]]

# FFmpeg reports lost data in its log alone; what is not captured here is not shown.
av.logging.set_level(av.logging.DEBUG)
av.logging.set_skip_repeated(False)
logging.getLogger("libav").setLevel(logging.CRITICAL + 1)


class VideoCamera(Closeable):
    """Frames of a video file, or, with `deadline_ms`, of a live one: a number, device or address.

    A frame of which data may be missing has the code INCOMPLETE and no picture. FFmpeg may hang
    where a camera was unplugged: a live one must be read through edge.camera.reconnecting.
    """

    def __init__(self, source: str, *, triggered: bool, deadline_ms: int | None = None) -> None:
        self.live = deadline_ms is not None
        self._name = printable(without_password(source))
        self._triggered = triggered
        self._count = 0
        self._busy, self._told = Lock(), False
        with Capture() as lines:
            try:
                self._container = _open(source, deadline_ms)
                self._stream = self._container.streams.video[0]
                self._decoder = VideoDecoder(self._stream.codec_context)
            except (av.FFmpegError, IndexError, AttributeError) as error:
                raise CameraError(self._cannot_be_opened(source, error, lines)) from error
        self._lost = any(LOST_WHILE_OPENING.search(text) for _, _, text in _warnings(lines))
        if not self.live and list(_warnings(lines)):
            with suppress(av.FFmpegError):  # a pipe cannot; the rule of LOST_WHILE_OPENING remains
                self._container.seek(0)  # what FFmpeg has read is read, and reported, again
        self._waiting: tuple[Any, int, bool] | None = None
        self._pictures = self._read_all()

    def _cannot_be_opened(self, source: str, error: Exception, lines: LogLines) -> str:
        fix = "name a folder of images, a video file, a camera number such as 0, or line://"
        if source.isdecimal() or source.startswith("/dev/"):
            fix = "check that the camera is plugged in and free"
        elif self.live:
            fix = f"check the address, and that the camera is on the network{login_hint(source)}"
        elif any("moov atom not found" in text for _, _, text in lines):
            fix = "its index is missing, so the recording was cut: copy or record it again"
        return f"'{self._name}' cannot be opened: {fix} ({_reason(error)})"

    def read(self) -> Frame:
        with self._busy:
            picture = next(self._pictures, None)
        if picture is None:
            if self.live:
                raise CameraError(f"'{self._name}' gives no more frames: check its cable")
            if self._count == 0:
                raise CameraError(f"'{self._name}' has no frames: name a video file")
            raise EndOfStream(f"{self._name} has no more frames")
        self._count += 1
        trigger = self._count if self._triggered else None
        if picture.image is None:
            code, image = Code.INCOMPLETE, NO_PICTURE
        else:
            code, image = Code.NONE, picture.image
        return Frame(image, self._count, picture.captured_ns, trigger, code=code)

    def _read_all(self) -> Iterator[Picture]:
        packets = self._container.demux(self._stream)
        while True:
            with Capture() as lines:
                try:
                    packet = next(packets, None)
                except av.FFmpegError as error:
                    self._fail(error)
            captured_ns = time.monotonic_ns()
            ended = packet is None or (packet.size == 0 and packet.pts is None)
            if not (ended and self.live):  # there the log says why the connection has ended
                self._note_lost(lines)
            if ended:
                break
            lost, self._lost = self._lost, False
            yield from self._decode_waiting(lost=lost)
            self._waiting = packet, captured_ns, lost
            if self.live or self._stream.codec_context.name == "mjpeg":
                yield from self._decode_waiting(lost=False)
        yield from self._decode_waiting(lost=self._lost)
        yield from self._decoder.rest()
        if self._lost:
            yield Picture(None, captured_ns)

    def _decode_waiting(self, *, lost: bool) -> Iterator[Picture]:
        """Decode the packet before; `lost` says that data are missing in it or behind it.

        A packet of Matroska that was cut takes the bytes behind it; only the next one tells.
        """
        if self._waiting is not None:
            (packet, captured_ns, lost_before), self._waiting = self._waiting, None
            yield from self._decoder(packet, captured_ns, lost=lost or lost_before)

    def _note_lost(self, lines: LogLines) -> None:
        for _, _, text in _warnings(lines):
            if not self._told:
                log.warning(
                    "'%s' loses data: %s; further losses are counted", self._name, text.strip()
                )
            self._told = self._lost = True

    def _fail(self, error: Exception) -> NoReturn:
        where = "check its cable" if self.live else f"it is damaged behind frame {self._count}"
        raise CameraError(f"'{self._name}' cannot be read: {where} ({_reason(error)})") from error

    def about(self) -> dict[str, str | float]:
        """As far as FFmpeg knows them."""
        context = self._stream.codec_context
        fps = float(self._stream.average_rate or 0)
        values = {"width": context.width, "height": context.height, "fps": fps}
        return {"source": self._name, **{name: v for name, v in values.items() if v > 0}}

    def close(self) -> None:
        if self._busy.acquire(timeout=1.0):  # a read that hangs keeps it open
            self._container.close()
            self._busy.release()


def _open(source: str, deadline_ms: int | None) -> InputContainer:
    if deadline_ms is None:
        return av.open(f"file:{source}")
    read_s = max(deadline_ms, 1000) * 2 / 1000
    if source.isdecimal() or "://" not in source:
        device = f"/dev/video{source}" if source.isdecimal() else str(Path(source).resolve())
        return av.open(device, format="v4l2", options=OPTIONS["v4l2"], timeout=(OPEN_S, read_s))
    scheme = "rtsp" if source.startswith("rtsp") else ""
    return av.open(source, options=OPTIONS.get(scheme, {}), timeout=(OPEN_S, read_s))


def _warnings(lines: LogLines) -> Iterator[tuple[int, str, str]]:
    return (line for line in lines if line[0] <= av.logging.WARNING)


def _reason(error: Exception) -> str:
    if isinstance(error, av.FFmpegError):
        return without_password(str(error.strerror))
    return "it has no video that can be decoded"
