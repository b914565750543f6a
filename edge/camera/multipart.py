"""Split a multipart stream, as cameras serve JPEG over HTTP, into its pictures."""

import re
from collections.abc import Callable

from edge.base.errors import CameraError

MAX_PART = 2**26
LONGEST_LINE = 1024
END_OF_JPEG = b"\xff\xd9"
FIRST_BOUNDARY = re.compile(rb"\n(--[^\r\n]*?)[ \t]*\r?\n")
END_OF_HEADERS = re.compile(rb"(?:\A|\n)\r?\n")
LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,9})\s*$", re.I | re.M)
TYPE = re.compile(rb"^content-type:[ \t]*(\S+)", re.I | re.M)


class MultipartReader:
    """Gives the pictures of a multipart stream as they came, whole or cut.

    A boundary, which is what the first line says, ends a part wherever it comes. Content-Length
    saves waiting for it; it may be too small, but of less than it says a piece is missing. `more`
    gives further bytes, none at the end; `name` is for messages.
    """

    def __init__(self, name: str, more: Callable[[], bytes]) -> None:
        self._name, self._more = name, more
        self._data = bytearray(b"\n")
        self._in_part = False
        self._boundary = FIRST_BOUNDARY
        self._take(FIRST_BOUNDARY)

    def read(self) -> bytes:
        """The next picture; empty where a piece is missing. Raises CameraError at the end."""
        while True:
            if self._in_part:
                self._take(self._boundary)  # what comes behind a picture that ended by its length
            head = self._take(END_OF_HEADERS)
            kind, length = TYPE.search(head), LENGTH.search(head)
            stated = int(length[1]) if length else None
            body = self._take(self._boundary, stated)
            if stated is not None and len(body) < stated:
                return b""  # a piece is missing, maybe in the middle, which JPEG may not tell
            if kind is None or kind[1].startswith(b"image/") or body.startswith(b"\xff\xd8"):
                return body

    def _take(self, end: re.Pattern[bytes], length: int | None = None) -> bytes:
        """What comes before `end`, which is dropped; or `length` bytes where these end a JPEG."""
        searched = 0
        while (found := end.search(self._data, searched)) is None:
            if length is not None and len(self._data) >= length:
                taken = bytes(self._data[:length])
                if taken.rstrip(b"\0\r\n").endswith(END_OF_JPEG):
                    del self._data[:length]
                    self._in_part = True
                    return taken
            searched = max(0, len(self._data) - LONGEST_LINE)
            if len(self._data) > MAX_PART:
                raise CameraError(f"'{self._name}' sends no multipart pictures: check the address")
            more = self._more()
            if not more and end is self._boundary and self._data:
                taken, self._data = bytes(self._data), bytearray()
                return taken
            if not more:
                raise CameraError(f"'{self._name}' gives no more frames: check its cable")
            self._data += more
        if end is FIRST_BOUNDARY:
            name = re.escape(bytes(found[1]))
            self._boundary = re.compile(rb"\n" + name + rb"(?:--)?[ \t]*\r?\n")
        taken = bytes(self._data[: found.start()])
        del self._data[: found.end()]
        self._in_part = False
        return taken
