"""Another product at the PLC's word: it speaks numbers, the line's control socket names.

A thread of its own asks the line and waits until the change is done or has failed; a wire begins a
change and looks what became of it, and never waits. A product that has no number is not changed to:
the table is also the list of what a PLC may choose.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from queue import SimpleQueue
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.events.client import NoAnswer
from edge.events.control_messages import ProductReply, Request, SwitchRequest
from edge.events.server import ErrorReply

log = logging.getLogger(__name__)
Reply = TypeVar("Reply", bound=BaseModel)

POLL_S = 0.1
PATIENCE_S = 10.0
"""A line that does not answer for so long, or whose events name the old product, has failed us."""
CLOSE_S = 3.0
MOST_SAID = 64


class Failure(IntEnum):
    """Why a command or a trigger was not carried out. Numbers never change their meaning."""

    NONE = 0
    NO_COMMAND = 1  # there is no such command
    UNKNOWN = 2  # the table has no such number
    BUSY = 3  # another product is being made ready
    NO_ANSWER = 4  # the line does not answer, or its events do not follow
    REFUSED = 5  # the line could not, or would not: its words are in the log
    STALE = 6  # the command was there before the bridge was
    TOO_LATE = 7  # the part of a trigger has passed
    REPEATED = 8  # a trigger with the id of the one before


class LineClient(Protocol):
    """Whoever is asked: `edge.events.client.RequestClient`, or a line on paper."""

    def ask(self, question: BaseModel) -> list[bytes]:
        """Raises NoAnswer."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class ChangeOutcome:
    """What became of one request."""

    state: Literal["loading", "done", "failed"] = "loading"
    failure: Failure = Failure.NONE
    message: str = ""


class ChangeRequest:
    """One request for a product; its `outcome` is replaced once, when it has ended.

    One that is not `fresh` may have been asked for before: it starts nothing.
    """

    def __init__(
        self, product: str, outcome: ChangeOutcome | None = None, *, fresh: bool = True
    ) -> None:
        self.product, self.fresh = product, fresh
        self.outcome = outcome or ChangeOutcome()

    @property
    def loading(self) -> bool:
        return self.outcome.state == "loading"


class Failed(Exception):
    """A request has failed, and why."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class ProductChanges(Closeable):
    """Changes of product, one at a time. `begin` may be called by any thread.

    `running` gives the name of the product that the line's events tell, empty where it is silent.
    """

    def __init__(
        self,
        numbers: Mapping[int, str],
        line: LineClient,
        running: Callable[[], str],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.numbers = {name: number for number, name in numbers.items()}
        self._names, self._line, self._running = numbers, line, running
        self._patience_s = patience_s
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._queue: SimpleQueue[ChangeRequest | None] = SimpleQueue()
        self._now: ChangeRequest | None = None
        self._thread = threading.Thread(target=self._work, name="changes", daemon=True)
        self._thread.start()

    @property
    def under_way(self) -> bool:
        return self._now is not None and self._now.loading

    def begin(self, wanted: int | str, *, fresh: bool = True) -> ChangeRequest:
        """Ask for a product by its number or its name; returns at once.

        Who asks again for what is being made ready waits for the same change.
        """
        name = self._names.get(wanted) if isinstance(wanted, int) else wanted
        if name not in self.numbers:
            text = f"{str(wanted)[:MOST_SAID]!r} has no number here: add --recipe NUMBER=NAME"
            return _refused("", Failure.UNKNOWN, text)
        with self._lock:
            if self._now is None or not self._now.loading:
                self._now = ChangeRequest(name, fresh=fresh)
                self._queue.put(self._now)
            elif self._now.product != name:
                text = f"{self._now.product} is still being made ready: ask again after that"
                return _refused(name, Failure.BUSY, text)
            return self._now

    def _work(self) -> None:
        while (change := self._queue.get()) is not None:
            failure, message = Failure.NONE, ""
            try:
                message = self._carry_out(change)
            except Failed as error:
                failure, message = error.failure, str(error)
            except NoAnswer as error:
                failure = Failure.NO_ANSWER
                message = f"{error}: is the line running, and may this key change the product?"
            except Exception as error:  # whoever waits is told, and the next may be asked for
                known = isinstance(error, DraemError)
                log.error("no change to %s: %s", change.product, error, exc_info=not known)
                failure, message = Failure.REFUSED, str(error)
            if failure:
                change.outcome = _refused(change.product, failure, message).outcome
            else:
                log.info("the line judges %s%s", change.product, f" ({message})" * bool(message))
                change.outcome = ChangeOutcome("done", message=message)
        self._line.close()

    def _carry_out(self, change: ChangeRequest) -> str:
        """Until the line's events name the product; the line's own words, where it has some."""
        told = self._begun(change)
        while told.change.state == "loading" and told.change.product == change.product:
            self._pause("the bridge ends: whether the line changes is in its own log")
            told = self._product()
        if told.product != change.product:
            why = told.change.message or "it was started anew, or asked for another"
            raise Failed(Failure.REFUSED, f"the line still judges {told.product}: {why}")
        end = time.monotonic() + self._patience_s
        while self._running() != change.product:
            if time.monotonic() > end:
                text = "the line has changed, and its events do not tell it: look at --endpoint"
                raise Failed(Failure.NO_ANSWER, text)
            self._pause("the bridge ends before the line's events tell of the change")
        return told.change.message if told.change.product == change.product else ""

    def _begun(self, change: ChangeRequest) -> ProductReply:
        """The line's answer to a request that it may have had before, and need not do twice."""
        told = understood(ProductReply, self._line.ask(Request(request="product")))
        other = told.change.product
        if told.change.state == "loading":
            if other != change.product:
                raise Failed(Failure.BUSY, f"{other} is still being made ready")
            return told
        if told.product == change.product:
            return told
        if not change.fresh:
            text = f"the command for {change.product} may be of before the bridge: take it back"
            raise Failed(Failure.STALE, f"{text}, and give it again")
        return understood(ProductReply, self._line.ask(SwitchRequest(product=change.product)))

    def _product(self) -> ProductReply:
        """A change goes on while the line is busy, or cut off for a moment. Raises NoAnswer."""
        end = time.monotonic() + self._patience_s
        while True:
            try:
                return understood(ProductReply, self._line.ask(Request(request="product")))
            except NoAnswer:
                if time.monotonic() > end:
                    raise
                self._pause("the bridge ends while the line does not answer")

    def _pause(self, if_stopped: str) -> None:
        if self._stop.wait(POLL_S):
            raise Failed(Failure.NO_ANSWER, if_stopped)

    def close(self) -> None:
        """What the line has begun it ends without us."""
        self._stop.set()
        self._queue.put(None)
        self._thread.join(CLOSE_S)


def understood(kind: type[Reply], message: list[bytes]) -> Reply:
    """Raises Failed with the line's own words where it refuses, and NoAnswer for rubbish."""
    try:
        return kind.model_validate_json(message[0])
    except ValidationError:
        pass
    try:
        raise Failed(Failure.REFUSED, ErrorReply.model_validate_json(message[0]).message)
    except ValidationError:
        raise NoAnswer("what answers is no line: correct --control") from None


def _refused(product: str, failure: Failure, message: str) -> ChangeRequest:
    log.warning("no change of product: %s", message)
    return ChangeRequest(product, ChangeOutcome("failed", failure, message))
