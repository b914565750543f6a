"""Command 3 and triggers from registers: a number stays there until the PLC writes another."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.bridge.line_requests import Failure
from edge.bridge.plc_trigger import Attempt, PlcTrigger
from edge.bridge.product_change import ChangeRequest, ProductChanges

CHANGE = 3


@dataclass(frozen=True)
class CommandAnswer:
    """What the registers show of commands. `numbers` gives a product's number by its name.

    `done` and `failure` answer the command that is written, as long as it is written. `given` is
    the last trigger that the line has accepted; `trigger_failure` belongs to `seen`, the trigger
    that is written.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    under_way: bool = False
    done: bool = False
    failure: Failure = Failure.NONE
    given: int = 0
    seen: int = 0
    trigger_failure: Failure = Failure.NONE


class PlcCommand:
    """Used by one thread, that of the protocol: pass what is written, as often as it is read."""

    def __init__(self, changes: ProductChanges, triggering: PlcTrigger) -> None:
        self._changes, self._triggering = changes, triggering
        self.stall = triggering.stall
        self._command: int | None = None
        self._change: ChangeRequest | None = None
        self._trigger_id: int | None = None
        self._attempt: Attempt | None = None

    def set_command(self, command: int, number: int) -> None:
        """The command and the product number that are written now; only a new command counts.

        The first one may be from before this bridge, and may have been carried out then.
        """
        before, self._command = self._command, command
        if command == before:
            return
        self._change = None
        if command == CHANGE:
            self._change = self._changes.begin(number, fresh=before is not None)

    def is_new_trigger(self, trigger_id: int) -> bool:
        """Whether this is another id than the last one that was passed."""
        return trigger_id != self._trigger_id

    def set_trigger(
        self, trigger_id: int, encoder: int, part_id: str | None, since_s: float | None = None
    ) -> None:
        """The trigger that is written now; a new id triggers, and 0 is none.

        The first one may be from before this bridge: its part has passed. `since_s`: see
        `PlcTrigger.begin`.
        """
        before, self._trigger_id = self._trigger_id, trigger_id
        if trigger_id == before:
            return
        self._attempt = None
        if trigger_id:
            fresh = before is not None
            self._attempt = self._triggering.begin(
                trigger_id, encoder, part_id, fresh=fresh, since_s=since_s
            )

    def answer(self) -> CommandAnswer:
        """What the PLC may read now."""
        given, seen = self._triggering.given, self._trigger_id or 0
        trigger_failure = self._attempt.outcome.failure if self._attempt else Failure.NONE
        if trigger_failure and given == seen:
            given = 0  # an earlier part had the same id
        # The outcome first: a change that ends meanwhile is shown as under way once more.
        outcome = self._change.outcome if self._change else None
        state = outcome.state if outcome else "none"
        return CommandAnswer(
            self._changes.numbers,
            under_way=state == "loading" or self._changes.under_way,
            done=state == "done",
            failure=outcome.failure if outcome else Failure.NONE,
            given=given,
            seen=seen,
            trigger_failure=trigger_failure,
        )
