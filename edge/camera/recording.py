"""Record a camera's frames on disk, in a ring, and replay them: replay://DIR?speed=1.

Each frame is one file `<number>.npz`, written whole: its picture as it came, and a JSON object
with its ids, its code and its times. Notices of the camera (lost, back) are kept in between in the
same way. Nothing in it is pickled.
"""

import io
import json
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edge.base.errors import CameraError
from edge.base.npz import read_npz
from edge.base.text import printable
from edge.camera import CameraNotice, EndOfStream, FrameTimeout, ReportsOutages
from edge.camera.address import split, validate
from edge.camera.frame_ids import FrameIds
from edge.events.codes import Code
from edge.vision.frame import Frame

SUFFIX = ".npz"
MOST_BYTES = 1 << 30
MAX_SLEEP_S = 0.1


class RecordingRing:
    """A folder of the newest frames, at most `frames` and `megabytes`.

    A folder that has a recording is continued. Raises CameraError where the folder cannot be used.
    """

    def __init__(self, folder: Path, frames: int, megabytes: float) -> None:
        self._folder, self._max_frames, self._max_bytes = folder, frames, megabytes * 1e6
        make_folder(folder)
        self._sizes = deque((path, path.stat().st_size) for path in _files(folder))
        self._bytes = sum(size for _, size in self._sizes)
        self._next = 1 + (int(self._sizes[-1][0].stem) if self._sizes else 0)

    def put(self, item: Frame | CameraNotice) -> None:
        """Keep one more; the oldest are deleted."""
        data = _packed(item)
        while self._sizes and self._is_full(len(data)):
            path, size = self._sizes.popleft()
            path.unlink(missing_ok=True)
            self._bytes -= size
        path = self._folder / f"{self._next:09d}{SUFFIX}"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self._next += 1
        self._sizes.append((path, len(data)))
        self._bytes += len(data)

    def _is_full(self, more: int) -> bool:
        return len(self._sizes) >= self._max_frames or self._bytes + more > self._max_bytes


def make_folder(folder: Path) -> None:
    """Make the folder of a recording, where it is missing. Raises CameraError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CameraError(
            f"{folder} cannot be written ({error.strerror}): choose another"
        ) from error


def _files(folder: Path) -> list[Path]:
    """The recorded files, oldest first."""
    named = (path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())
    return sorted(named, key=lambda path: int(path.stem))


def _packed(item: Frame | CameraNotice) -> bytes:
    if isinstance(item, Frame):
        about = dict(vars(item))
        image = np.asarray(about.pop("image"), np.uint8)
    else:
        about = {"code": item.code, "message": str(item), "captured_ns": item.at_ns}
        image = np.zeros(0, np.uint8)
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, about=text, image=image)
    return packed.getvalue()


def _unpacked(path: Path) -> tuple[int, Frame | CameraNotice]:
    """When it was captured, and the item. Raises CameraError for a damaged file."""
    try:
        packed = read_npz(path, {"about": np.uint8, "image": np.uint8}, MOST_BYTES)
        about: dict[str, Any] = json.loads(packed["about"].tobytes())
        image = packed["image"]
        code = Code(about.pop("code"))
        if "message" in about:
            return int(about["captured_ns"]), CameraNotice(code, str(about["message"]))
        return int(about["captured_ns"]), Frame(image, code=code, **about)
    except (ValueError, KeyError, TypeError) as error:
        raise CameraError(f"{path} is no recorded frame ({error}): remove it") from error


class ReplaySettings(BaseModel):
    """`speed` 1 is that of the line, 0 waits until each frame was judged; `loop` begins again."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    speed: float = Field(1.0, ge=0, le=100)
    loop: bool = False


class ReplayCamera(ReportsOutages):
    """A recording as a camera: frames with their ids and codes, at their original intervals.

    `captured_ns` is the present time. In free-running mode trigger ids are left out. Raises
    CameraError for a folder without a recording.
    """

    def __init__(self, source: str, *, triggered: bool) -> None:
        folder, options = split(source)
        self._folder = Path(folder)
        self._settings = validate(source, ReplaySettings, options, "replay://DIR?speed=1")
        self.live = self._settings.speed > 0
        self._triggered = triggered
        if not _files(self._folder):
            raise CameraError(f"{self._folder} holds no recording: make one with 'draem record'")
        self._began: tuple[int, int] | None = None  # captured_ns of the first item, and now
        self._items = self._read_all()
        self._next: tuple[int, Frame | CameraNotice] | None = None
        self._ids = FrameIds()
        self.counters: dict[str, int] = {"received": 0, "lost": 0}

    def about(self) -> dict[str, str | float]:
        return {"recording": printable(self._folder)}

    def _read_all(self) -> Iterator[tuple[int, Frame | CameraNotice]]:
        while True:
            self._began = None
            for path in _files(self._folder):
                if path.exists():  # a ring that is still written loses its oldest files
                    yield _unpacked(path)
            if not self._settings.loop:
                return

    def read(self) -> Frame:
        self._next = self._next or next(self._items, None)
        if self._next is None:
            raise EndOfStream("the recording has no more frames")
        captured_ns, item = self._next
        if self.live:
            self._wait(captured_ns)
        self._next = None
        if isinstance(item, CameraNotice):
            self._ids.restart()
            raise item
        self._ids.follow(item.frame_id or None)
        self.counters |= {"received": self.counters["received"] + 1, "lost": self._ids.lost}
        values = {**vars(item), "captured_ns": time.monotonic_ns()}
        if not self._triggered:
            values["trigger_id"] = None
        return Frame(**values)

    def _wait(self, captured_ns: int) -> None:
        """Until the item is due. Raises FrameTimeout after 0.1 s."""
        now = time.monotonic_ns()
        self._began = self._began or (captured_ns, now)
        due = self._began[1] + (captured_ns - self._began[0]) / self._settings.speed
        left_s = (due - now) / 1e9
        time.sleep(min(max(0.0, left_s), MAX_SLEEP_S))
        if left_s > MAX_SLEEP_S:
            raise FrameTimeout("the recording pauses")
