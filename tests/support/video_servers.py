"""Servers of network video, as processes that can be killed, frozen and started again."""

import signal
import subprocess
import sys

from edge.base.closeable import Closeable


class Server(Closeable):
    """A process that serves video, which can be killed, frozen and started again."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def restart(self) -> None:
        self.close()
        self.process = self._start()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def mjpeg(port: int, picture: str = "testsrc2=size=320x240:rate=25") -> Server:
    """ffmpeg as a camera that serves MJPEG over HTTP, to one viewer."""
    at = f"http://127.0.0.1:{port}/video"
    lavfi = ("ffmpeg", "-re", "-f", "lavfi", "-i", picture)
    return Server(*lavfi, "-q:v", "3", "-f", "mpjpeg", "-listen", "1", at)


def rtsp(port: int) -> Server:
    """GStreamer's RTSP server with a ball that moves."""
    return Server(sys.executable, "-m", "tests.support.rtsp_server", str(port))
