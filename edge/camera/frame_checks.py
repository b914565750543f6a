"""Detect frames that repeat the one before or changed their format, and count all frames."""

from dataclasses import replace

import numpy as np

from edge.camera.frame_ids import FrameIds
from edge.events.codes import Code
from edge.vision.frame import Frame
from edge.vision.image_files import Image

MIN_REPEATS = 3  # in a row: between slow triggers a single repetition may last for seconds
COUNTERS = ("received", "incomplete", "lost", "stale", "wrong_format", "untied")
COUNTER_OF = {
    Code.INCOMPLETE: "incomplete",
    Code.FRAME_UNREADABLE: "incomplete",
    Code.UNTIED: "untied",
    Code.STALE: "stale",
    Code.FORMAT_CHANGED: "wrong_format",
}


class FrameChecks:
    """Checks over all connections to one camera; `counters` has the names of COUNTERS."""

    def __init__(self, counters: dict[str, int], ids: FrameIds | None) -> None:
        self._counters, self._ids = counters, ids
        self._last: Image | None = None
        self._shape: tuple[int, ...] | None = None
        self._last_good_s, self._repeats = 0.0, 0

    def __call__(self, frame: Frame, now_s: float) -> Frame:
        """The frame with the code of what is wrong with it."""
        checked = self._checked(frame)
        self._counters["received"] += 1
        if self._ids is not None:
            self._counters["lost"] = self._ids.lost
        if checked.code in COUNTER_OF:
            self._counters[COUNTER_OF[checked.code]] += 1
        self._repeats = self._repeats + 1 if checked.code is Code.STALE else 0
        if checked.code is Code.NONE:
            self._last_good_s = now_s
        return checked

    def repeating_for_s(self, now_s: float, opened_s: float) -> float:
        """How long only repetitions of one frame have come; 0 before there are MIN_REPEATS.

        A new connection may begin with the last frame of the one before.
        """
        if self._repeats < MIN_REPEATS:
            return 0.0
        return now_s - max(self._last_good_s, opened_s)

    def _checked(self, frame: Frame) -> Frame:
        if frame.code is not Code.NONE:
            return frame
        last, self._last = self._last, frame.image
        if last is not None and _equal(last, frame.image):
            return replace(frame, code=Code.STALE)
        if self._shape is None:
            self._shape = frame.image.shape
        if frame.image.shape != self._shape:
            return replace(frame, code=Code.FORMAT_CHANGED)
        return frame


def _equal(one: Image, other: Image) -> bool:
    """Whether all bytes are the same; a few rows first, in which most pictures differ."""
    return np.array_equal(one[::64], other[::64]) and np.array_equal(one, other)
