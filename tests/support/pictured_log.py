"""A station's log, its kept pictures and its replay socket, without a camera or a publisher."""

from pathlib import Path
from typing import Any

from edge.base.closeable import Closeable
from edge.events.encoding import encode
from edge.events.event import Inspection
from edge.events.journal import Journal
from edge.events.kept_frames import frame_name
from edge.events.replay_server import serve_replay
from edge.events.sockets import Sockets
from tests.support.archived import inspected, reported

PNG = b"\x89PNG\r\n\x1a\n"


def picture_of(seq: int) -> bytes:
    """The bytes of an event's picture: its own, of 20 kB."""
    return PNG + seq.to_bytes(8, "big") * 2500


class PicturedLog(Closeable):
    """Answers for pages, pictures and cursors at `replay`."""

    def __init__(self, folder: Path, replay: str = "tcp://127.0.0.1:*") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._journal, self._sockets = folder, Journal(folder), Sockets()
        self._server = serve_replay(self._sockets, replay, folder)
        self.replay = self._server.endpoint

    def add(self, verdict: str = "NG", *, kept: bool = True, **changes: Any) -> Inspection:
        """Log an inspection, after its picture if that is kept."""
        seq, stream = self._journal.head + 1, self._journal.stream_id
        values = {"part_id": f"p{seq}", "picture": True} | changes
        event = inspected(seq, stream=stream, verdict=verdict, **values)
        header = event.header
        assert isinstance(header, Inspection)
        if kept:
            path = self.picture(seq)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture_of(seq))
        self._journal.append([header], [encode(header, MASK)])
        return header

    def add_fault(self) -> None:
        """Log an event without a part."""
        header = reported(self._journal.head + 1, stream=self._journal.stream_id).header
        self._journal.append([header], [encode(header)])

    def picture(self, seq: int) -> Path:
        """The file of an event's picture."""
        return self.folder / "pictures" / frame_name(self._journal.stream_id, seq)

    def close(self) -> None:
        self._server.close()
        self._sockets.close()
        self._journal.close()


def _mask() -> bytes:
    import numpy as np

    from edge.events.encoding import encode_mask

    return encode_mask(np.eye(32, dtype=np.uint8) * np.uint8(255))


MASK = _mask()
