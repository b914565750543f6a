"""Which parts the gate rejected though they have a verdict: a file of JSON lines, for later.

Each line is a result that came too late, was not acknowledged in time or was dropped, with its ids
and its age. The file is limited to `FILE_BYTES` (one older file is kept as `.1`). A thread writes
it: a slow or full disk loses lines, which are counted, but never delays a verdict.
"""

import json
import logging
import math
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueListener, RotatingFileHandler
from pathlib import Path
from queue import Full, Queue

from edge.base.closeable import Closeable
from edge.bridge.signals import Missed

log = logging.getLogger(__name__)

FILE_BYTES = 1_000_000  # about 3000 parts
QUEUE_LINES = 1000
CLOSE_S = 2.0


class MissedFile(Closeable):
    """Appends what was missed to `path`. Raises OSError if it cannot be opened."""

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A line that a kill has cut short must not spoil the next one.
        if path.is_file() and not (b"\n" + path.read_bytes()).endswith(b"\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")
        self.path, self.lost = path, 0
        self._file = _File(path, file_bytes, self._lose)
        self._queue: Queue[logging.LogRecord | None] = Queue(QUEUE_LINES)
        self._listener: QueueListener | None = _Listener(self._queue, self._file)
        self._listener.start()

    def add(self, missed: Missed) -> None:
        """Queue a line; returns at once."""
        try:
            self._queue.put_nowait(logging.makeLogRecord({"msg": line_of(missed)}))
        except Full:
            self._lose("the disk is slow")

    def _lose(self, why: str) -> None:
        if not self.lost:
            log.warning("missed parts cannot be written to %s (%s): make room", self.path, why)
        self.lost += 1

    def close(self) -> None:
        """Write what is queued, but do not wait long for a disk that hangs."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        stopping = threading.Thread(target=listener.stop, daemon=True)
        stopping.start()
        stopping.join(CLOSE_S)
        unwritten = sum(record is not None for record in list(self._queue.queue))
        if lost := self.lost + unwritten:
            log.warning("%d missed parts are not in %s", lost, self.path)
        if not stopping.is_alive():
            with suppress(OSError):  # it tries once more to write what is lost already
                self._file.close()


class _File(RotatingFileHandler):
    """Counts what it cannot write, instead of printing the error."""

    def __init__(self, path: Path, file_bytes: int, lose: Callable[[str], None]) -> None:
        super().__init__(path, maxBytes=file_bytes, backupCount=1, encoding="utf-8")
        self._lose = lose

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by `emit` while it handles the error."""
        error = sys.exc_info()[1]
        self._lose(getattr(error, "strerror", None) or str(error))


class _Listener(QueueListener):
    """Ends when a full queue has been written."""

    queue: Queue[logging.LogRecord | None]

    def enqueue_sentinel(self) -> None:
        """Called by `stop`."""
        self.queue.put(None)


def line_of(missed: Missed) -> str:
    """One part as JSON."""
    inspection, finite = missed.inspection, math.isfinite(missed.age_s)
    return json.dumps({
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "why": missed.why,
        "age_ms": round(missed.age_s * 1000) if finite else None,
        "station": inspection.station,
        "inspection_id": inspection.inspection_id,
        "trigger_id": inspection.trigger_id,
        "encoder": inspection.encoder,
        "part_id": inspection.part_id,
        "verdict": inspection.verdict,
        "captured_at": inspection.captured_at,
    })  # fmt: skip
