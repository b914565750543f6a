"""When the gate of a machine without a PLC is open: around each part that is OK, and never else.

A part reaches the gate a known way after its picture. Positions are milliseconds or encoder counts;
they only rise. An OK part opens the gate for one pulse; any other part closes it for one pulse,
whatever its neighbours are. Nothing here knows lines, threads or clocks.
"""

from dataclasses import dataclass

LONGEST_QUEUE = 1000
"""More parts cannot be between a camera and its gate: the positions have stopped."""


@dataclass(frozen=True)
class Way:
    """From a picture to the gate, in milliseconds or counts.

    The gate opens `delay` after the picture for `pulse`; what neighbours, or a late look at the
    positions, leave of a pulse is used if it has `shortest`. A pulse ends after `longest_s` seconds
    at the latest, in case the positions stop.
    """

    delay: float
    pulse: float
    shortest: float
    longest_s: float


@dataclass
class Passage:
    """Where the gate is to be open (`ok`) or closed for one part."""

    start: float
    end: float
    ok: bool
    opened_s: float | None = None


class PassQueue:
    """The parts between camera and gate. Used by one thread."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._passages: list[Passage] = []

    def __len__(self) -> int:
        return len(self._passages)

    def start_of(self, picture: float) -> float:
        """Where the part of a picture reaches the gate."""
        return picture + self.way.delay

    def add(self, picture: float, *, ok: bool) -> bool:
        """A part; False where there are too many, and all of them are dropped."""
        if len(self._passages) >= LONGEST_QUEUE:
            self._passages.clear()
            return False
        start = self.start_of(picture)
        new = Passage(start, start + self.way.pulse, ok)
        for other in self._passages:
            if new.ok != other.ok:
                self._trim(*((new, other) if new.ok else (other, new)))
        self._passages.append(new)
        return True

    def _trim(self, good: Passage, bad: Passage) -> None:
        """Keep a passage off that of a bad neighbour; one that becomes too short opens nothing."""
        if bad.start >= good.end or bad.end <= good.start:
            return
        if bad.start <= good.start:
            good.start = bad.end
        else:
            good.end = bad.start
        if good.end - good.start < self.way.shortest:
            good.end = good.start

    def reject_all(self) -> None:
        """Where the parts are is no longer known for sure."""
        for one in self._passages:
            one.ok = False

    def is_open(self, position: float, now_s: float) -> bool:
        """Whether the gate is open. `position` never goes back: parts behind it are forgotten."""
        self._passages = [one for one in self._passages if one.end > position]
        found = False
        for one in self._passages:
            if one.ok and one.start <= position:
                found = self._opens(one, position, now_s) or found
        return found

    def _opens(self, one: Passage, position: float, now_s: float) -> bool:
        """Whether a passage that has begun opens the gate; one that is noticed late does not."""
        if one.opened_s is None:
            one.ok = one.end - position >= self.way.shortest
            one.opened_s = now_s
        return one.ok and now_s - one.opened_s < self.way.longest_s

    def until_change(self, position: float) -> float:
        """How far it is to the next start or end."""
        ends = (end for one in self._passages if one.ok for end in (one.start, one.end))
        return min((end - position for end in ends if end > position), default=float("inf"))
