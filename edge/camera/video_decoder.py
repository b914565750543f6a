"""Decode a video stream, and trust no picture that FFmpeg may have completed from those before."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import av
from av.codec.context import Flags
from av.logging import Capture

from edge.base.errors import ImageError
from edge.vision.image_files import Image, decode_image

# How long pictures are not trusted, in packets, then until the next key frame. FFmpeg assembles
# packets of RTP and MPEG-TS: that at a loss and the one behind it may both lack data.
UNTIL_KEY_FRAME, ASSEMBLED = 1, 3


class Picture(NamedTuple):
    """A picture, None where any of its data may be missing, and when its packet came."""

    image: Image | None
    captured_ns: int


class VideoDecoder:
    """Pictures of one stream, as a rule one for each packet.

    JPEG pictures are decoded strictly, each alone. Those of other codecs refer to the ones before:
    after a loss, and at the beginning, none is trusted until the next key frame.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        context.thread_count = 1  # errors are in the log of the thread that decodes
        context.flags |= Flags.copy_opaque | Flags.output_corrupt
        context.options = {"err_detect": "crccheck"}
        self._is_jpeg = context.name == "mjpeg"
        self._distrust, self._count = UNTIL_KEY_FRAME, 0

    def __call__(self, packet: Any, captured_ns: int, *, lost: bool) -> Iterator[Picture]:
        """The pictures that are ready; `lost` says that data before this packet are missing."""
        if self._is_jpeg:
            if lost and packet.size:
                yield Picture(None, captured_ns)  # the one that FFmpeg has left out
            yield Picture(_decoded_jpeg(packet), captured_ns)
            return
        if lost or packet.is_corrupt:
            yield from self.rest()
            self._distrust = ASSEMBLED
        if self._distrust == UNTIL_KEY_FRAME and packet.is_keyframe:
            self._distrust = 0
        if self._distrust:
            self._distrust = max(UNTIL_KEY_FRAME, self._distrust - 1)
            yield Picture(None, captured_ns)
        else:
            yield from self._decode(packet, captured_ns)

    def _decode(self, packet: Any, captured_ns: int) -> Iterator[Picture]:
        self._count += 1
        packet.opaque = self._count, captured_ns
        with Capture() as lines:
            try:
                frames = self._context.decode(packet)
            except av.FFmpegError:
                frames, failed = [], True
            else:
                failed = any(map(_is_error, lines))
        if failed:
            frames = [f for f in frames + self._drain() if f.opaque[0] < self._count]
            self._distrust = UNTIL_KEY_FRAME
        yield from map(_picture, frames)
        if failed:
            yield Picture(None, captured_ns)

    def rest(self) -> Iterator[Picture]:
        """What the decoder still holds; it begins anew with the next packet."""
        yield from map(_picture, self._drain())

    def _drain(self) -> list[Any]:
        try:
            return list(self._context.decode(None))
        except av.FFmpegError:
            return []
        finally:
            self._context.flush_buffers()


def _is_error(line: tuple[int, str, str]) -> bool:
    """FFmpeg logs what it conceals as information, and data that are too short for debugging.

    SEI is no part of a picture, and that of some cameras is always wrong.
    """
    level, _, text = line
    if text.startswith("SEI type"):
        return False
    return level <= av.logging.WARNING or "concealing" in text or "overread" in text


def _decoded_jpeg(packet: Any) -> Image | None:
    try:
        return None if packet.is_corrupt else decode_image(bytes(packet), "the frame")
    except ImageError:
        return None


def _picture(frame: Any) -> Picture:
    image = None if frame.is_corrupt else frame.to_ndarray(format="bgr24")
    return Picture(image, frame.opaque[1])
