"""What is wrong with a frame, by itself and beside the one before it; everything is counted."""

from dataclasses import replace

import numpy as np

from edge.camera.frame_ids import FrameIds
from edge.events.event import Code
from edge.vision.frame import Frame
from edge.vision.image_files import Image

REPEATS = 3  # in a row: between slow triggers a single one may lie far from its neighbours
COUNTED = ("received", "incomplete", "lost", "stale", "wrong_format", "untied")
COUNTED_AS = {
    Code.INCOMPLETE: "incomplete",
    Code.FRAME_UNREADABLE: "incomplete",
    Code.UNTIED: "untied",
    Code.STALE: "stale",
    Code.FORMAT_CHANGED: "wrong_format",
}


class FrameChecks:
    """Over all connections to one camera; `counters` has the names of COUNTED."""

    def __init__(self, counters: dict[str, int], ids: FrameIds | None) -> None:
        self._counters, self._ids = counters, ids
        self._last: Image | None = None
        self._shape: tuple[int, ...] | None = None
        self._fresh_s, self._repeats = 0.0, 0

    def __call__(self, frame: Frame, now_s: float) -> Frame:
        """With the code of what is wrong with it."""
        checked = self._checked(frame)
        self._count(checked)
        self._repeats = self._repeats + 1 if checked.code is Code.STALE else 0
        if checked.code is Code.NONE:
            self._fresh_s = now_s
        return checked

    def repeats_for(self, now_s: float, opened_s: float) -> float:
        """For how many seconds nothing but repetitions has come; 0 before there are some in a row.

        A new connection may begin with the frame that the one before ended with.
        """
        return now_s - max(self._fresh_s, opened_s) if self._repeats >= REPEATS else 0.0

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

    def _count(self, frame: Frame) -> None:
        self._counters["received"] += 1
        if self._ids is not None:
            self._counters["lost"] = self._ids.lost
        if frame.code in COUNTED_AS:
            self._counters[COUNTED_AS[frame.code]] += 1


def _equal(one: Image, other: Image) -> bool:
    """Whether all bytes are the same; most pictures differ in the few rows looked at first."""
    same = one.shape == other.shape and np.array_equal(one[::64], other[::64])
    return same and np.array_equal(one, other)
