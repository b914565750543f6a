"""Keeps frames as PNG files: every reject, some of the rest.

A thread of its own writes them, so no verdict waits for a picture; frames that it cannot keep up
with are dropped and counted. Below the station's folder: `pictures/<log>/<inspection id>.png` up to
a number of megabytes, `ring/` with the last frames of any verdict, `marked/` with frames that a
person has marked. The oldest pictures are deleted first.
"""

import logging
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event as StopEvent
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.os_errors import MORE_FILES, SPACE, how_to_fix
from edge.events.event import Inspection
from edge.events.kept_frames import frame_name
from edge.vision.image_files import write_png

log = logging.getLogger(__name__)

QUEUE_SIZE = 8
LOG_EVERY_S = 60.0


@dataclass(frozen=True)
class KeepRules:
    """Which frames are kept: every NG and NO_VERDICT, one OK in `ok_one_in`, the last `ring`."""

    mb: float = 1000
    ok_one_in: int = 100
    ring: int = 50


class BoundedFolder:
    """A folder of PNG files with a maximum number or size; the oldest files are deleted."""

    def __init__(self, folder: Path, max_files: int | None = None, max_bytes: float | None = None):
        self._max_files, self._max_bytes = max_files, max_bytes
        found = [(path, path.stat()) for path in folder.rglob("*.png")] if folder.exists() else []
        found.sort(key=lambda entry: entry[1].st_mtime_ns)
        self._files = deque((path, stat.st_size) for path, stat in found)
        self._bytes = sum(size for _, size in self._files)

    def add(self, path: Path, image: NDArray[np.uint8]) -> None:
        """Write a file whole, then delete the oldest ones above the maximum."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, image)
        size = path.stat().st_size
        self._files.append((path, size))
        self._bytes += size
        while self._is_too_large():
            oldest, size = self._files.popleft()
            self._bytes -= size
            oldest.unlink(missing_ok=True)

    def _is_too_large(self) -> bool:
        too_many = self._max_files is not None and len(self._files) > self._max_files
        return too_many or (self._max_bytes is not None and self._bytes > self._max_bytes)


class ImageStore(Closeable):
    """Keeps frames below `folder`: the loop offers them, a thread writes them."""

    def __init__(self, folder: Path, rules: KeepRules) -> None:
        self._folder, self._rules = folder, rules
        self._ok_count = 0
        self.dropped = 0
        self._folders = {
            "pictures": BoundedFolder(folder / "pictures", max_bytes=rules.mb * 1e6),
            "ring": BoundedFolder(folder / "ring", max_files=rules.ring),
        }
        self._queue: Queue[tuple[str, str, NDArray[np.uint8]]] = Queue(QUEUE_SIZE)
        self._stop = StopEvent()
        self._next_log = 0.0
        self._thread = Thread(target=self._write_all, name="pictures", daemon=True)
        self._thread.start()

    def offer(self, header: Inspection, image: NDArray[np.uint8]) -> None:
        """Keep the frame of an inspection if the rules say so; never waits.

        The frame of an event that waits for the log is dropped: it has no number to be found by.
        """
        if image.size == 0:
            return
        if not header.stream_id:
            self.dropped += 1
            return
        place = "pictures" if self._is_kept(header) else "ring"
        if place == "ring" and (not self._rules.ring or self._queue.qsize() > QUEUE_SIZE // 2):
            self.dropped += bool(self._rules.ring)  # rejects need the space in the queue more
            return
        name = frame_name(header.stream_id, header.inspection_id)
        try:
            self._queue.put_nowait((place, name, image))
        except Full:
            self.dropped += 1

    def _is_kept(self, header: Inspection) -> bool:
        if header.verdict != "OK":
            return True
        self._ok_count += 1
        return self._rules.ok_one_in > 0 and self._ok_count % self._rules.ok_one_in == 0

    def _write_all(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            try:
                place, name, image = self._queue.get(timeout=0.1)
            except Empty:
                continue
            try:
                self._folders[place].add(self._folder / place / name, image)
                if place == "pictures" and self._rules.ring:
                    self._folders["ring"].add(self._folder / "ring" / name, image)
            except Exception as error:  # noqa: BLE001  it must not end the line
                self.dropped += 1
                self._log_error(error)

    def _log_error(self, error: Exception) -> None:
        if time.monotonic() >= self._next_log:
            self._next_log = time.monotonic() + LOG_EVERY_S
            known = how_to_fix(error)
            fix = (
                known
                if known in (SPACE, MORE_FILES)
                else f"check that {self._folder} can be written"
            )
            log.error("pictures cannot be kept (%s): %s", error, fix)

    def close(self) -> None:
        """Write what still waits, then end."""
        self._stop.set()
        self._thread.join()
