"""Joins the events of several views to parts. A state machine: no socket, thread or clock.

A part is OK only if every view said OK for its id, once, for products that belong together, before
its deadline (counted from its first picture). Each part is released once, and in the order in which
the parts came past the views: none is released before one that a view saw before it.
"""

import logging
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from edge.combine.memory import Memory
from edge.combine.part import Decision, Part
from edge.combine.products import Products
from edge.combine.sight import By, Key, Now, Sight, key_of
from edge.events.codes import Code

log = logging.getLogger(__name__)

COUNTED = ("late", "after_ng", "twice", "without_id", "too_old", "again")


@dataclass(frozen=True)
class Rules:
    """The names of the views, what joins a part, its deadline, and the products that fit."""

    views: tuple[str, ...]
    by: By
    deadline_s: float
    products: Products = field(default_factory=Products)


class Released(NamedTuple):
    """A part and its verdict."""

    part: Part
    decision: Decision


class Joiner:
    """The parts that wait for their verdict; `counts` are events that changed none.

    `faults` are for the caller to take: what a person should know beside the verdicts.
    """

    def __init__(self, rules: Rules, memory: Memory) -> None:
        self.rules = rules
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self.faults: deque[tuple[Code, str]] = deque()
        self._memory = memory
        self._waiting: list[Part] = []  # in the order of the line
        self._by_key: dict[Key, Part] = {}
        self._unjoined: dict[str, Code] = {}  # the views whose last part could not be joined

    def receive(self, sight: Sight, now: Now) -> None:
        """A view's event; each view's in their order."""
        key = key_of(sight.header, self.rules.by)
        if key is None:
            self._leave_out(sight, Code.VIEW_WITHOUT_ID)
            return
        waiting, known = self._by_key.get(key), self._memory.find(key, sight)
        is_waiting = waiting is not None and sight.source in waiting.sources
        if is_waiting or self._memory.has_counted(key, sight):
            self.counts["again"] += 1  # received by the process that was here before
        elif known and sight.view not in known.views:
            known.views.add(sight.view)
            known.sources.add(sight.source)
            self.counts["after_ng" if known.verdict == "NG" else "late"] += 1
        elif waiting:
            self._add(waiting, sight)
        elif known is None and self._has_expired(sight, now) and not self._memory.reaches(sight):
            self._leave_out(sight, Code.VIEW_TOO_OLD)
        else:
            self._begin(Part(key, now.s, twice=known is not None), sight)

    def _begin(self, part: Part, sight: Sight) -> None:
        self._unjoined.pop(sight.view, None)
        self._waiting.append(part)
        self._by_key[part.key] = part
        part.add(sight)
        self.counts["twice"] += part.twice

    def _add(self, part: Part, sight: Sight) -> None:
        """The next view of a part; those that this view saw before it go first."""
        self._unjoined.pop(sight.view, None)
        self.counts["twice"] += part.has(sight.view)
        at = self._waiting.index(part)
        behind = self._waiting[at + 1 :]
        if not part.has(sight.view):
            earlier = [other for other in behind if other.has(sight.view)]
            later = [other for other in behind if not other.has(sight.view)]
            self._waiting[at:] = [*earlier, part, *later]
        part.add(sight)

    def _leave_out(self, sight: Sight, code: Code) -> None:
        """An event that belongs to no part: one fault for all that follow each other."""
        self.counts["without_id" if code is Code.VIEW_WITHOUT_ID else "too_old"] += 1
        if self._unjoined.get(sight.view) is code:
            return
        self._unjoined[sight.view] = code
        number = sight.header.inspection_id
        if code is Code.VIEW_WITHOUT_ID:
            name = self.rules.by.replace("-", " ")
            text = f"view {sight.view}: inspection {number} has no {name}, so its part has no OK: "
            text += "correct --by, or the station's source and mode"
        else:
            text = f"view {sight.view}: inspections from {number} on are of an outage too long ago "
            text += "to be accounted for one by one: take those parts out"
        self.faults.append((code, text))

    def _has_expired(self, sight: Sight, now: Now) -> bool:
        return sight.ahead or now.s >= sight.captured_ns / 1e9 + self.rules.deadline_s

    def release(self, now: Now) -> Iterator[Released]:
        """The parts whose verdict is certain at `now`, in order."""
        rules = self.rules
        while self._waiting:
            part = self._waiting[0]
            is_late = now.s >= part.deadline(rules.deadline_s)
            decision = part.decide(rules.views, rules.products, is_late)
            if decision is None:
                return
            del self._waiting[0], self._by_key[part.key]
            self._memory.add(part, decision.verdict)
            yield Released(part, decision)

    def next_deadline(self) -> float | None:
        """When the first part in order expires, in seconds of the monotonic clock."""
        return self._waiting[0].deadline(self.rules.deadline_s) if self._waiting else None

    def undecided(self, view: str) -> list[tuple[str, int]]:
        """Stream and number of the view's events whose parts have no verdict yet."""
        sights = (sight for part in self._waiting for sight in part.sights)
        return [sight.source for sight in sights if sight.view == view]
