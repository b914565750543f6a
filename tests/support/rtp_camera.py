"""A camera that serves RTSP over TCP and loses the RTP packets that it is told to lose."""

import socket
from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby
from threading import Thread
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable

Packets = list[bytes]
"""The RTP and RTCP packets of one frame."""

PAYLOADS = {"mjpeg": (26, "JPEG"), "libx264": (96, "H264"), "libx265": (96, "H265")}
OPTIONS = {
    "libx264": {"tune": "zerolatency", "preset": "ultrafast", "x264-params": "sliced-threads=0"},
    "libx265": {"x265-params": "log-level=none:bframes=0:repeat-headers=1", "preset": "ultrafast"},
}


class _Sink:
    """What FFmpeg's RTP muxer writes, one packet a call."""

    def __init__(self) -> None:
        self.packets: Packets = []

    def write(self, data: bytes) -> int:
        self.packets.append(bytes(data))
        return len(data)


def rtp_packets(
    pictures: Iterable[NDArray[np.uint8]], codec: str = "mjpeg", keyframe_every: int = 10
) -> list[Packets]:
    """The RTP packets of each picture, which have one time stamp; 1200 bytes as on a network."""
    sink = _Sink()
    with av.open(sink, "w", format="rtp", options={"packetsize": "1200"}) as muxer:
        stream: Any = muxer.add_stream(codec, rate=25, options=OPTIONS.get(codec, {}))
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            if codec == "mjpeg":
                packet = av.Packet(cv2.imencode(".jpg", picture)[1].tobytes())
                packet.stream, packet.pts, packet.time_base = stream, number, Fraction(1, 25)
                muxer.mux(packet)
            else:
                muxer.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        muxer.mux(stream.encode())
    rtp = (packet for packet in sink.packets if not is_rtcp(packet))
    return [list(group) for _, group in groupby(rtp, key=lambda packet: packet[4:8])]


def is_rtcp(packet: bytes) -> bool:
    return 200 <= packet[1] <= 204


class RtpCamera(Closeable):
    """Serves `frames` to one viewer after the other, as fast as they are taken."""

    def __init__(self, frames: Iterable[Packets], codec: str = "mjpeg") -> None:
        self._frames, self._codec = iter(frames), codec
        self._server = socket.create_server(("127.0.0.1", 0))
        self.source = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/video"
        self._thread = Thread(target=self._serve, name="rtp-camera", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while True:
                viewer, _ = self._server.accept()
                with viewer:
                    self._answer(viewer)
        except OSError:
            return

    def _answer(self, viewer: socket.socket) -> None:
        requests = viewer.makefile("rb")
        while line := requests.readline().decode():
            sequence = ""
            while header := requests.readline().decode().strip():
                name, _, value = header.partition(":")
                sequence = value.strip() if name.lower() == "cseq" else sequence
            method = line.split()[0]
            viewer.sendall(self._reply(method, sequence))
            if method == "PLAY":
                for frame in self._frames:
                    viewer.sendall(b"".join(map(_interleaved, frame)))
                return

    def _reply(self, method: str, sequence: str) -> bytes:
        head = f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nSession: 1\r\n"
        if method == "SETUP":
            head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        if method == "OPTIONS":
            head += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        if method != "DESCRIBE":
            return f"{head}\r\n".encode()
        number, name = PAYLOADS[self._codec]
        sdp = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=t\r\nt=0 0\r\n"
            f"m=video 0 RTP/AVP {number}\r\na=rtpmap:{number} {name}/90000\r\na=control:track\r\n"
        )
        head += f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n"
        return f"{head}\r\n{sdp}".encode()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


def _interleaved(packet: bytes) -> bytes:
    """As RTSP sends RTP over TCP."""
    return b"$\0" + len(packet).to_bytes(2) + packet
