"""A review in progress: where it is in its queue, what was said, what can be undone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.archive.query import Label
from edge.archive.review_queue import Item


@dataclass
class ReviewSession:
    """One person's way through a queue. `at` may be one beyond the last part: the end."""

    items: Sequence[Item]
    at: int = 0
    given: dict[str, tuple[Label, str | None]] = field(default_factory=dict)
    """The label and kind that each part has got here, by its key."""
    done: list[int] = field(default_factory=list)
    """Places of the parts that got a label, in this order."""

    @property
    def item(self) -> Item | None:
        """The part to look at; None at the end."""
        return self.items[self.at] if self.at < len(self.items) else None

    def next_ones(self, count: int) -> Sequence[Item]:
        """The parts that come next, for the browser to load early."""
        return self.items[self.at + 1 : self.at + 1 + count]

    def step(self, by: int) -> None:
        """Forward or back."""
        self.at = max(0, min(len(self.items), self.at + by))

    def label(self, label: Label, kind: str | None) -> Item:
        """Note a label of the present part, and go on to the next one."""
        item = self.items[self.at]
        self.given[item.part.key] = (label, kind)
        self.done.append(self.at)
        self.at += 1
        return item

    def last(self) -> Item | None:
        """The part that was labelled last."""
        return self.items[self.done[-1]] if self.done else None

    def undo(self) -> Item:
        """Forget the last label, and go back to its part."""
        self.at = self.done.pop()
        return self._without_label(self.items[self.at])

    def take_back(self, item: Item) -> None:
        """A label that could not be stored: forget it, and go back to its part."""
        place = next(n for n, other in enumerate(self.items) if other is item)
        self.done = [n for n in self.done if n != place]
        self.at = place
        self._without_label(item)

    def _without_label(self, item: Item) -> Item:
        self.given.pop(item.part.key, None)
        return item
