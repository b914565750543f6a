"""What OPC UA clients can do with the line, whichever of the server's methods they call."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edge.bridge.feed import Feed
from edge.bridge.line_pause import LinePause
from edge.bridge.line_requests import LineRequest, Outcome
from edge.bridge.plc_trigger import LATEST_S, PlcTrigger
from edge.bridge.product_change import ChangeRequest, ProductChanges
from edge.bridge.signals import Inputs
from edge.events.event import Inspection

log = logging.getLogger(__name__)

POLL_S = 0.05
TRIGGER_POLL_S = 0.002
WAIT_S = 1.0  # a method waits so long for its effect, and the client does for longer


@dataclass(frozen=True)
class LineParts:
    """The feed, and what sends requests to the line.

    With `single_jobs` the line's pictures are taken one by one, each by a StartSingleJob.
    """

    feed: Feed
    changes: ProductChanges
    triggering: PlcTrigger
    pausing: LinePause
    deadline_s: float
    single_jobs: bool = False


class OpcuaLine:
    """Used in the server's loop alone."""

    def __init__(self, parts: LineParts) -> None:
        self.feed, self.changes = parts.feed, parts.changes
        self.deadline_s, self.single_jobs = parts.deadline_s, parts.single_jobs
        self._triggering, self._pausing = parts.triggering, parts.pausing
        self.change: ChangeRequest | None = None
        """The latest that was begun."""
        self.halted = False

    def is_offered(self, inspection: Inspection) -> bool:
        """Whether a result may be sent now."""
        return not self.halted and self.feed.age_s(inspection) < self.deadline_s

    def number_of(self, product: str) -> str:
        """The product's number in the table of recipes; 0 where it has none."""
        return str(self.changes.numbers.get(product, 0))

    def product_of(self, external: str, internal: str) -> int | str:
        """What a client names: the internal name has priority; a number or a name otherwise."""
        wanted = internal or external
        numbered = not internal and wanted.isascii() and wanted.isdecimal() and len(wanted) < 10
        return int(wanted) if numbered else wanted

    async def prepare(self, external: str, internal: str) -> ChangeRequest:
        """Change the product; answers when the line judges it, or after a second."""
        change = self.changes.begin(self.product_of(external, internal))
        if self.change is None or not self.change.under_way:
            self.change = change
        await self.until(lambda: not change.under_way)
        return change

    async def trigger(self, trigger_id: int, encoder: int | None, part_id: str | None) -> Outcome:
        """A part is under the camera; answers once the line has the trigger, or it has failed."""
        return await self._ended(self._triggering.begin(trigger_id, encoder, part_id or None))

    async def pause(self, *, paused: bool) -> Outcome:
        """Pause or resume the line; answers once it has accepted, or it has failed."""
        return await self._ended(self._pausing.begin(paused=paused))

    async def _ended(self, request: LineRequest) -> Outcome:
        with self._in_turn():
            while request.under_way:
                await asyncio.sleep(TRIGGER_POLL_S)
        return request.outcome

    async def until(self, due: Callable[[], bool]) -> None:
        """Wait for the effect of a method, but not for long."""
        end = time.monotonic() + WAIT_S
        with self._in_turn():
            while not due() and time.monotonic() < end:
                await asyncio.sleep(POLL_S / 2)

    def halt(self) -> None:
        """Nothing is offered until `reset`."""
        self.halted = True
        self.feed.plc(Inputs(halted=True))
        log.warning("an OPC UA client has halted the bridge: nothing is offered until Reset")

    def reset(self) -> None:
        """End `halt`, and the trouble of a part; a cause that lasts stays."""
        self.halted = False
        self.feed.plc(Inputs(reset=True))
        self.feed.plc(Inputs())
        log.info("an OPC UA client has reset the bridge")

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """A client's calls are served one by one: while one waits, the next becomes outdated."""
        began = time.monotonic()
        yield
        if time.monotonic() - began > LATEST_S:
            self._triggering.stall.mark_stalled()
