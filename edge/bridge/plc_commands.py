"""Command 3 and triggers as registers say them: numbers that stay until the PLC writes others."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge.bridge.plc_trigger import Attempt, PlcTrigger
from edge.bridge.product_change import ChangeRequest, Failure, ProductChanges

CHANGE = 3


@dataclass(frozen=True)
class CommandAnswer:
    """What the registers tell of product changes. `numbers` gives a product's number by its name.

    `done` and `failure` are the answer to the command that is written, while it is. `given` is the
    last trigger that the line has accepted; `not_given` is of the one that is written, `seen`.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    under_way: bool = False
    done: bool = False
    failure: Failure = Failure.NONE
    given: int = 0
    seen: int = 0
    not_given: Failure = Failure.NONE


class PlcCommand:
    """For the one thread of a wire: hand in what is written, as often as you like."""

    def __init__(self, changes: ProductChanges, triggering: PlcTrigger) -> None:
        self._changes, self._triggering = changes, triggering
        self.standstill = triggering.standstill
        self._said: int | None = None
        self._change: ChangeRequest | None = None
        self._trigger_said: int | None = None
        self._attempt: Attempt | None = None

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

    def is_new(self, trigger_id: int) -> bool:
        """Whether it has changed since it was said last."""
        return trigger_id != self._trigger_said

    def trigger(
        self, trigger_id: int, encoder: int, part_id: str | None, since_s: float | None = None
    ) -> None:
        """What the PLC's trigger is now; a new id gives one, and 0 is none.

        One that was there before this bridge is of a part that has passed. `since_s` is as
        `Triggering.begin` has it.
        """
        before, self._trigger_said = self._trigger_said, trigger_id
        if trigger_id == before:
            return
        self._attempt = None
        if trigger_id:
            fresh = before is not None
            self._attempt = self._triggering.begin(
                trigger_id, encoder, part_id, fresh=fresh, since_s=since_s
            )

    def told(self) -> CommandAnswer:
        """What the PLC may read now."""
        given, seen = self._triggering.given, self._trigger_said or 0
        failure = self._attempt.outcome.failure if self._attempt else Failure.NONE
        if failure and given == seen:
            given = 0  # it was another part's
        return replace(self._told(), given=given, seen=seen, not_given=failure)

    def _told(self) -> CommandAnswer:
        """Of changes alone."""
        changes, change = self._changes, self._change
        if change is None:
            return CommandAnswer(changes.numbers, changes.under_way)
        outcome = change.outcome
        loading, failed = outcome.state == "loading", outcome.state == "failed"
        under_way = loading or (failed and changes.under_way)  # never both it and the answer
        return CommandAnswer(changes.numbers, under_way, outcome.state == "done", outcome.failure)
