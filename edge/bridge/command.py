"""Command 3 as registers say it: a number that stays until the PLC has seen the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.bridge.changes import Change, Changes, Failure

CHANGE = 3


@dataclass(frozen=True)
class Told:
    """What the registers tell of product changes. `numbers` gives a product's number by its name.

    `done` and `failure` are the answer to the command that is written, while it is.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    under_way: bool = False
    done: bool = False
    failure: Failure = Failure.NONE


class Command:
    """For the one thread of a wire: hand in what is written, as often as you like."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._said: int | None = None
        self._change: Change | None = None

    def say(self, command: int, number: int) -> None:
        """What the PLC's command and product number are now. Only a new command begins a change.

        One that was there before this bridge has perhaps been carried out, or is of yesterday.
        """
        before, self._said = self._said, command
        if command == before:
            return
        self._change = None
        if command == CHANGE:
            self._change = self._changes.begin(number, fresh=before is not None)

    def told(self) -> Told:
        """What the PLC may read now."""
        changes, change = self._changes, self._change
        if change is None:
            return Told(changes.numbers, changes.under_way)
        outcome = change.outcome
        loading, failed = outcome.state == "loading", outcome.state == "failed"
        under_way = loading or (failed and changes.under_way)  # never both it and the answer
        return Told(changes.numbers, under_way, outcome.state == "done", outcome.failure)
