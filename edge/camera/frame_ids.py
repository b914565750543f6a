"""What the numbers that a camera gives its frames say: how many were lost, which part is which."""

WRAP_16 = 65535


class FrameIds:
    """Follows a camera's frame ids: how many are missing, and a count that never wraps.

    GigE Vision counts from 1 to 65535 and again from 1, unless the camera has 64-bit ids. A camera
    that was started again counts anew: that is no gap. `lost` is the sum of all gaps.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._unknown = 0
        self.count = self.lost = 0

    def restart(self) -> None:
        """The next id begins a new count of the camera's; ours goes on."""
        self._last, self._unknown = None, 0

    def missing(self, frame_id: int | None) -> int:
        """How many ids lie between the last frame and this one; `count` is this frame's then.

        None is a frame whose id was lost with its first packet: it fills a gap that is seen later.
        """
        if frame_id is None:
            self._unknown += 1
            self.count += 1
            return 0
        gap = 0 if self._last is None else _between(self._last, frame_id)
        gap = max(0, gap - self._unknown)
        self._last, self._unknown = frame_id, 0
        self.count += gap + 1
        self.lost += gap
        return gap


def _between(last: int, now: int) -> int:
    if now > last:
        return now - last - 1
    if last <= WRAP_16:
        steps = (now - last) % WRAP_16
        if 0 < steps <= WRAP_16 // 2:
            return steps - 1
    return 0  # a count that began anew, or the same frame once more
