"""The parts that have had their verdict: for late views, ids that repeat, and restarts."""

from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edge.combine.part import Part
from edge.combine.sight import LOST, By, Key, Sight, wall_us
from edge.events.event import Verdict, View
from edge.events.journal_reader import JournalReader

REMEMBERED = 20_000


@dataclass
class Decided:
    """A part that has had its verdict: when it was captured, and which events were counted in.

    `is_lost`: no view had a frame, so the part was captured before `captured_us`.
    """

    captured_us: int
    verdict: Verdict
    views: set[str]
    sources: set[tuple[str, int]]
    is_lost: bool


class Memory:
    """The last parts by their id; `since_us` is the time from which on it knows every part."""

    def __init__(self, since_us: int, deadline_s: float, size: int = REMEMBERED) -> None:
        self._since_us, self._size = since_us, size
        self._spread_us = round(deadline_s * 1e6)
        self._parts: defaultdict[Key, deque[Decided]] = defaultdict(deque)  # newest last
        self._order: deque[Key] = deque()

    def add(self, part: Part, verdict: Verdict) -> None:
        """A part whose verdict is being written."""
        views = {sight.view for sight in part.sights}
        is_lost = all(sight.is_lost for sight in part.sights)
        at = part.first.captured_us
        self.put(part.key, Decided(at, verdict, views, part.sources, is_lost))

    def put(self, key: Key, decided: Decided) -> None:
        """The newest part of this id."""
        self._parts[key].append(decided)
        self._order.append(key)
        if len(self._order) > self._size:
            first = self._order.popleft()
            oldest = self._parts[first].popleft()
            self._since_us = max(self._since_us, oldest.captured_us + 1)
            if not self._parts[first]:
                del self._parts[first]

    def find(self, key: Key, sight: Sight) -> Decided | None:
        """The part that an event belongs to: same id, captured within a deadline of it.

        A trigger without a frame is noticed later than that, at a later trigger.
        """
        for known in reversed(self._parts.get(key, ())):
            later_us = sight.captured_us - known.captured_us
            may_be_later = sight.is_lost and sight.view not in known.views
            may_be_earlier = known.is_lost and sight.view not in known.views
            is_not_later = may_be_later or later_us <= self._spread_us
            if is_not_later and (may_be_earlier or later_us >= -self._spread_us):
                return known
        return None

    def has_counted(self, key: Key, sight: Sight) -> bool:
        """Whether an event was counted in before, perhaps by an earlier process."""
        return any(sight.source in known.sources for known in self._parts.get(key, ()))

    def reaches(self, sight: Sight) -> bool:
        """Whether a part as old as this would be known, had it had its verdict."""
        return sight.captured_us >= self._since_us


class _Logged(BaseModel):
    """What is needed of an event of the own log."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: str
    published_at: str
    captured_at: str = ""
    part_id: str | None = None
    trigger_id: int | None = None
    verdict: Verdict = "NO_VERDICT"
    views: list[View] | None = None


def remembered(folder: Path, by: By, deadline_s: float) -> Memory:
    """The memory of an earlier process, from its log; an empty one where there is none.

    Raises JournalError.
    """
    with JournalReader(folder) as reader:
        events = [_Logged.model_validate_json(m[1]) for m in reader.newest(REMEMBERED)]
        is_whole = reader.first() == 1 and len(events) < REMEMBERED
    began = 0 if is_whole else wall_us(events[0].published_at) or 0
    memory = Memory(began, deadline_s)
    for event in events:
        key = (event.part_id or None) if by == "part-id" else event.trigger_id
        at = wall_us(event.captured_at)
        if key is not None and at is not None and event.views is not None:
            seen = [view for view in event.views if view.verdict is not None]
            sources = {(view.stream_id, view.seq) for view in seen}
            names, is_lost = {view.name for view in seen}, all(map(_is_lost, seen))
            memory.put(key, Decided(at, event.verdict, names, sources, is_lost))
    return memory


def _is_lost(view: View) -> bool:
    return view.code.number in LOST
