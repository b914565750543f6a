"""A camera that serves multipart JPEG over HTTP, byte for byte as it is told."""

import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from edge.base.closeable import Closeable

BOUNDARY = b"--frame"


def part(jpeg: bytes, length: int | None = None, kind: bytes = b"image/jpeg") -> bytes:
    """One part as cameras send it; `length` is what Content-Length says, None for no such line."""
    says = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"%b\r\nContent-Type: %b\r\n%b\r\n%b\r\n" % (BOUNDARY, kind, says, jpeg)


class HttpCamera(Closeable):
    """Sends `chunks` to its viewers, in all once; an empty one ends the connection, as the last.

    `answer` may send another answer than 200 first: it returns whether it did.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        kind: str = "multipart/x-mixed-replace; boundary=frame",
        chunked: bool = False,
        tls: ssl.SSLContext | None = None,
        answer: Callable[[BaseHTTPRequestHandler], bool] = lambda request: False,
    ) -> None:
        rest = iter(chunks)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if chunked else "HTTP/1.0"

            def do_GET(self) -> None:
                if answer(self):
                    return
                self.send_response(200)
                if kind:
                    self.send_header("Content-Type", kind)
                if chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                with suppress(OSError):
                    for data in iter(lambda: next(rest, b""), b""):
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                    self.wfile.write(b"0\r\n\r\n" if chunked else b"")
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.source = f"{scheme}://{self.address}/video"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
