"""Frames kept as PNG files for people to look at: every reject, some of the rest.

A thread of its own writes them. What it cannot keep up with is dropped and counted: no verdict
waits for a picture. `pictures/<log>/<inspection id>.png`, the oldest of them go first; `ring/` has
the last few frames whatever their verdict; `marked/` what a person has pinned.
"""

import logging
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event as StopEvent
from threading import Thread
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.errors import ImageError
from edge.events.event import Inspection
from edge.vision.image_files import write_png

log = logging.getLogger(__name__)

WAITING = 8
COMPLAIN_S = 60.0


@dataclass(frozen=True)
class KeepRules:
    """Which frames are kept: every NG and NO_VERDICT, one OK in `ok_one_in`, the last `ring`."""

    mb: float = 1000
    ok_one_in: int = 100
    ring: int = 50


class _Picture(NamedTuple):
    path: Path
    image: NDArray[np.uint8]


class Shelf:
    """PNG files in one folder, with a bound on their number or on their bytes; the oldest go."""

    def __init__(self, folder: Path, most: int | None = None, most_bytes: float | None = None):
        self._most, self._most_bytes = most, most_bytes
        found = [(path, path.stat()) for path in folder.rglob("*.png")] if folder.exists() else []
        found.sort(key=lambda entry: entry[1].st_mtime_ns)
        self._files = deque((path, about.st_size) for path, about in found)
        self._bytes = sum(size for _, size in self._files)

    def add(self, path: Path, image: NDArray[np.uint8]) -> None:
        """Write one by way of a temporary name, then make room."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, image)
        size = path.stat().st_size
        self._files.append((path, size))
        self._bytes += size
        while self._too_many():
            oldest, size = self._files.popleft()
            oldest.unlink(missing_ok=True)
            self._bytes -= size

    def _too_many(self) -> bool:
        most = self._most is not None and len(self._files) > self._most
        return most or (self._most_bytes is not None and self._bytes > self._most_bytes)


class ImageStore(Closeable):
    """Keeps frames below `folder`; offered by the loop, written by a thread."""

    def __init__(self, folder: Path, keep: KeepRules) -> None:
        self._folder, self._keep = folder, keep
        self._ok = 0
        self.dropped = 0
        self._shelves = {
            "pictures": Shelf(folder / "pictures", most_bytes=keep.mb * 1e6),
            "ring": Shelf(folder / "ring", most=keep.ring),
        }
        self._queue: Queue[tuple[str, _Picture]] = Queue(WAITING)
        self._stop = StopEvent()
        self._complain_at = 0.0
        self._thread = Thread(target=self._write_all, name="pictures", daemon=True)
        self._thread.start()

    def offer(self, header: Inspection, image: NDArray[np.uint8]) -> None:
        """Keep the frame of an inspection if it is one of those to keep; never waits."""
        if image.size == 0:
            return
        shelf = "pictures" if self._chosen(header) else "ring"
        if shelf == "ring" and (not self._keep.ring or self._queue.qsize() > WAITING // 2):
            self.dropped += bool(self._keep.ring)  # the others need the room more
            return
        name = f"{header.stream_id[:8]}/{header.inspection_id}.png"
        try:
            self._queue.put_nowait((shelf, _Picture(self._folder / shelf / name, image)))
        except Full:
            self.dropped += 1

    def _chosen(self, header: Inspection) -> bool:
        if header.verdict != "OK":
            return True
        self._ok += 1
        return self._keep.ok_one_in > 0 and self._ok % self._keep.ok_one_in == 0

    def _write_all(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            try:
                shelf, picture = self._queue.get(timeout=0.1)
            except Empty:
                continue
            try:
                self._shelves[shelf].add(*picture)
                if shelf == "pictures" and self._keep.ring:
                    name = picture.path.relative_to(self._folder / shelf)
                    self._shelves["ring"].add(self._folder / "ring" / name, picture.image)
            except (OSError, ImageError, cv2.error) as error:
                self.dropped += 1
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + COMPLAIN_S
            log.error("pictures cannot be kept (%s): free space on the disk", error)

    def close(self) -> None:
        """Write what waits, then end."""
        self._stop.set()
        self._thread.join()
