"""Count the frames that were lost, by the gaps in the ids that a camera gives its frames."""

WRAP_16 = 65535


class FrameIds:
    """Follows a camera's frame ids; `lost` is the sum of all gaps, `count` never wraps.

    GigE Vision counts from 1 to 65535 and again from 1, unless the camera has 64-bit ids. A camera
    that was restarted counts from 1 again: that is no gap.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._unknown = 0
        self.count = self.lost = 0

    def restart(self) -> None:
        """The camera's ids begin again with the next frame; `count` goes on."""
        self._last, self._unknown = None, 0

    def follow(self, frame_id: int | None) -> None:
        """A frame has come; `count` then is its number.

        None is a frame whose id was lost with its first packet; it fills part of the next gap.
        """
        self.count += 1
        if frame_id is None:
            self._unknown += 1
            return
        gap = 0 if self._last is None else _between(self._last, frame_id)
        gap = max(0, gap - self._unknown)
        self._last, self._unknown = frame_id, 0
        self.count += gap
        self.lost += gap


def _between(last: int, now: int) -> int:
    if now > last:
        return now - last - 1
    if last <= WRAP_16:
        steps = (now - last) % WRAP_16
        if 0 < steps <= WRAP_16 // 2:
            return steps - 1
    return 0  # a count that began again, or the same frame once more
