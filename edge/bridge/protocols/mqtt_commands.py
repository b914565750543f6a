"""Product changes over MQTT: a command on one topic, its answers on another.

A command works while it is new, and never again: one that the broker kept (retained, or queued
while we were away) is of an hour that nobody knows.
"""

import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.base.validation import reason
from edge.bridge.line_requests import Failure, Outcome
from edge.bridge.product_change import ChangeRequest, ProductChanges

log = logging.getLogger(__name__)

MAX_BYTES = 1000
MAX_WAITING = 100
Short = Annotated[str, Field(max_length=64)]


class MqttRequest(BaseModel):
    """What is published: a product's number or its name. `id` comes back with each answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    product: int | Short
    id: int | Short | None = None


class Commands:
    """`take` is called by the thread that hears, `turn` by the one that tells."""

    def __init__(self, changes: ProductChanges, publish: Callable[[str], object]) -> None:
        self._changes, self._publish = changes, publish
        self._waiting: deque[tuple[MqttRequest, ChangeRequest]] = deque()

    def take(self, payload: bytes, *, kept: bool) -> None:
        """Begin what is asked for, and answer; `kept` is a message that the broker has stored."""
        try:
            asked = MqttRequest.model_validate_json(payload[: MAX_BYTES + 1])
        except ValidationError as error:
            why = f"this is no command ({reason(error.errors()[0])}): see docs/plc/mqtt.md"
            return self._refuse(MqttRequest(product=""), Failure.NO_COMMAND, why)
        if kept:
            why = "the broker has kept this command: publish it anew, without retain"
            return self._refuse(asked, Failure.STALE, why)
        if len(self._waiting) >= MAX_WAITING:
            return self._refuse(asked, Failure.BUSY, "too many commands wait")
        change = self._changes.begin(asked.product)
        if change.under_way:
            self._publish(self._answer(asked, change))
        self._waiting.append((asked, change))
        return None

    def turn(self) -> None:
        """Answer what has ended."""
        for _ in range(len(self._waiting)):
            asked, change = self._waiting.popleft()
            if change.under_way:
                self._waiting.append((asked, change))
            else:
                self._publish(self._answer(asked, change))

    def _refuse(self, asked: MqttRequest, failure: Failure, why: str) -> None:
        log.warning("a command over MQTT is refused: %s", why)
        change = ChangeRequest(str(asked.product), outcome=Outcome("failed", failure, why))
        self._publish(self._answer(asked, change))

    def _answer(self, asked: MqttRequest, change: ChangeRequest) -> str:
        outcome = change.outcome
        return json.dumps({
            "id": asked.id,
            "product": change.product,
            "product_number": self._changes.numbers.get(change.product, 0),
            "state": outcome.state,
            "failure": int(outcome.failure),
            "message": outcome.message,
        })  # fmt: skip
