"""A part that several views see: what they said of it, and the verdict that follows."""

from dataclasses import dataclass, field
from typing import NamedTuple

from edge.combine.products import Products
from edge.combine.sight import Key, Sight
from edge.events.codes import Code
from edge.events.event import Verdict


class Decision(NamedTuple):
    """A part's verdict, and why there is none."""

    verdict: Verdict
    code: Code = Code.NONE


@dataclass
class Part:
    """All events with one id, in the order in which they came; `first_at` is when the first did."""

    key: Key
    first_at: float
    sights: list[Sight] = field(default_factory=list)
    twice: bool = False

    @property
    def first(self) -> Sight:
        """The view that was captured first: the part's age counts from there."""
        return min(self.sights, key=lambda sight: sight.captured_ns)

    @property
    def sources(self) -> set[tuple[str, int]]:
        """Stream and number of each event."""
        return {sight.source for sight in self.sights}

    def has(self, view: str) -> bool:
        """Whether a view has sent this part."""
        return any(sight.view == view for sight in self.sights)

    def add(self, sight: Sight) -> None:
        """Another event of this part; a second one of a view spoils it."""
        self.twice = self.twice or self.has(sight.view)
        self.sights.append(sight)

    def deadline(self, deadline_s: float) -> float:
        """When it expires, in seconds of the monotonic clock."""
        if any(sight.ahead for sight in self.sights):
            return 0.0
        return self.first.captured_ns / 1e9 + deadline_s

    def decide(self, views: tuple[str, ...], products: Products, is_late: bool) -> Decision | None:
        """The verdict; None while a view may still come. It is OK only if nothing is wrong."""
        verdicts = {sight.header.verdict for sight in self.sights}
        if "NG" in verdicts:
            return Decision("NG")
        if self.twice:
            return Decision("NO_VERDICT", Code.VIEW_TWICE)
        if not all(map(self.has, views)):
            return Decision("NO_VERDICT", Code.VIEW_MISSING) if is_late else None
        if verdicts != {"OK"}:
            return Decision("NO_VERDICT", Code.VIEW_NO_VERDICT)
        if is_late:
            return Decision("NO_VERDICT", Code.VIEW_LATE)
        if products.name(self.products()) is None or len(self.part_ids()) > 1:
            return Decision("NO_VERDICT", Code.VIEWS_DIFFER)
        return Decision("OK")

    def products(self) -> dict[str, str]:
        """The product of each view that has sent the part."""
        return {sight.view: sight.header.product for sight in self.sights}

    def part_ids(self) -> set[str]:
        """What the views have read as the part's id; more than one where a trigger has slipped."""
        return {sight.header.part_id for sight in self.sights if sight.header.part_id}
