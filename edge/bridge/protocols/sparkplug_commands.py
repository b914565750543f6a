"""Product changes over Sparkplug: a host writes the product's number or its name (DCMD).

A command works while it is new, and never again: one that the broker has kept is of an hour that
nobody knows.
"""

import logging

from edge.bridge.line_requests import Failure, Outcome
from edge.bridge.product_change import ChangeRequest, ProductChanges
from edge.bridge.protocols.sparkplug_metrics import METRICS, NAME, NUMBER
from edge.bridge.protocols.sparkplug_payload import Written, decode

log = logging.getLogger(__name__)

LONGEST_NAME = 64


class SparkplugCommands:
    """`take` is called by the thread that hears, the rest by the one that publishes."""

    def __init__(self, changes: ProductChanges) -> None:
        self._changes = changes
        self._latest: ChangeRequest | None = None
        self._under_way: ChangeRequest | None = None
        self._news = False

    def take(self, payload: bytes, kept: bool) -> None:
        """Begin what is asked for; `kept` is a message that the broker has stored."""
        try:
            wanted = _product_of(decode(payload))
        except ValueError as error:
            self._refuse(Failure.NO_COMMAND, f"this is no command ({error}): see docs/plc/mqtt.md")
            return
        if kept:
            why = "the broker has kept this command: publish it anew, without retain"
            self._refuse(Failure.STALE, why)
        else:
            self._set(self._changes.begin(wanted))

    def outcome(self) -> Outcome | None:
        """Of the last command, or of the one before that ended after it; None before the first."""
        if self._under_way is not None and not self._under_way.under_way:
            self._latest, self._under_way = self._under_way, None
        return self._latest.outcome if self._latest else None

    def has_news(self) -> bool:
        """Whether a command has come since this was last asked for."""
        news, self._news = self._news, False
        return news

    def _refuse(self, failure: Failure, why: str) -> None:
        log.warning("a command over Sparkplug is refused: %s", why)
        self._set(ChangeRequest("", outcome=Outcome("failed", failure, why)))

    def _set(self, request: ChangeRequest) -> None:
        if request.under_way:
            self._under_way = request
        elif self._under_way is not None and not self._under_way.under_way:
            self._under_way = None
        self._latest, self._news = request, True


def _product_of(written: list[Written]) -> int | str:
    """A product's number or its name. Raises ValueError where it is neither, or more."""
    if len(written) != 1:
        raise ValueError(f"{len(written)} metrics instead of one")
    one = written[0]
    for name, kind in ((NUMBER, int), (NAME, str)):
        if one.name == name or (not one.name and one.alias == METRICS[name].alias):
            value = one.value
            if type(value) is not kind or (isinstance(value, str) and len(value) > LONGEST_NAME):
                raise ValueError(f"the value of {name} is no product's")
            return value
    raise ValueError(f"only {NUMBER} and {NAME} can be written")
