"""Which parts the gate rejected though they have a verdict: a file of JSON lines, for later.

Each line is a result that came too late, was not taken in time or was dropped, with its ids and its
age. The file is bounded (`FILE_BYTES`, and as much of older lines beside it), and a thread of its
own writes it: a slow or full disk costs lines, which are counted, and never a verdict.
"""

import json
import logging
import math
import threading
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from queue import Full, Queue

from edge.base.closeable import Closeable
from edge.bridge.signals import Missed

log = logging.getLogger(__name__)

FILE_BYTES = 1_000_000  # about 3000 parts; the file before it is kept as `.1`
UNWRITTEN = 1000
CLOSE_S = 2.0


class MissedFile(Closeable):
    """Keeps what was missed in `path`. Raises OSError where it cannot be opened."""

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.lost = path, 0
        _end_line(path)
        self._file = _File(path, maxBytes=file_bytes, backupCount=1, encoding="utf-8")
        self._queue: Queue[Missed | None] = Queue(UNWRITTEN)
        self._thread = threading.Thread(target=self._write, name="missed", daemon=True)
        self._thread.start()

    def add(self, missed: Missed) -> None:
        """Keep a line; returns at once."""
        try:
            self._queue.put_nowait(missed)
        except Full:
            self._lose("the disk is slow")

    def _write(self) -> None:
        while (missed := self._queue.get()) is not None:
            try:
                self._file.emit(logging.makeLogRecord({"msg": line_of(missed)}))
            except OSError as error:
                self._lose(error.strerror or str(error))

    def _lose(self, why: str) -> None:
        if not self.lost:
            log.warning("missed parts cannot be written to %s (%s): make room", self.path, why)
        self.lost += 1

    def close(self) -> None:
        try:
            self._queue.put(None, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)
        except Full:
            self._lose("the disk is slow")
        if self.lost:
            log.warning("%d missed parts are not in %s", self.lost, self.path)
        with suppress(OSError):  # said already: it tries once more to write what it could not
            self._file.close()


def _end_line(path: Path) -> None:
    """What a kill has cut short stays a line of its own."""
    if path.is_file() and not (b"\n" + path.read_bytes()).endswith(b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")


class _File(RotatingFileHandler):
    """Raises its errors instead of printing them."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by `emit` while it handles the error."""
        raise


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
