"""Jobs of OPC 40100-1, and the moves of its state machines, as the line does them."""

import logging
import time
from dataclasses import dataclass

from edge.base.epoch import now_ms
from edge.bridge.protocols.opcua_line import OpcuaLine
from edge.bridge.protocols.opcua_results import Job
from edge.bridge.protocols.opcua_state_machines import StateMachines
from edge.bridge.protocols.opcua_states import CAUSED, Cause, State, state_of
from edge.bridge.signals import Trouble
from edge.events.event import Inspection

log = logging.getLogger(__name__)


@dataclass(eq=False)
class SingleJob:
    """A StartSingleJob: accepted by the line, then ended by its result or its deadline."""

    job: Job
    trigger_id: int
    until_s: float
    accepted: bool = False
    done: bool = False

    @property
    def ended(self) -> bool:
        return self.done or time.monotonic() > self.until_s


class Jobs:
    """Moves the state machines: `publish` in a loop, before the results.

    The methods that clients call (opcua_job_methods) set `cause`, `next` and `single`.
    """

    def __init__(self, line: OpcuaLine, machines: StateMachines) -> None:
        self._line, self._machines = line, machines
        self.cause: Cause = ""  # the method whose effect has not come yet
        self.next: Job | None = None  # what a StartContinuous has promised
        self.single: SingleJob | None = None
        self._last_id = 0

    async def publish(self, trouble: Trouble) -> None:
        """Move to the state that the line is in now."""
        if self.cause == "Reset":
            await self._move(State.PREOPERATIONAL)
            self.cause = ""
        await self._move(self._wanted(trouble))
        single = self.single
        if (
            single
            and single.accepted
            and (single.ended or self._machines.state is not State.SINGLE)
        ):
            self._end(single)
            await self._move(self._wanted(trouble))

    def job_of(self, inspection: Inspection) -> Job:
        """The job that a result belongs to; a single job ends with it."""
        single = self.single
        if single and inspection.trigger_id == single.trigger_id:
            single.done = True
            return single.job
        if self._machines.state is State.CONTINUOUS:
            return self._machines.job
        return Job(str(inspection.trigger_id or inspection.frame_id))

    def _wanted(self, trouble: Trouble) -> State:
        job = self.single is not None and self.single.accepted
        line = self._line
        return state_of(trouble, halted=line.halted, single_jobs=line.single_jobs, job=job)

    def _end(self, single: SingleJob) -> None:
        if not single.done:
            log.warning("job %s ends without a result: reject its part", single.job.id)
        self.single = None

    async def _move(self, wanted: State) -> None:
        if wanted is self._machines.state:
            return
        job = self.single.job if self.single else self.next
        if job is None and wanted is State.CONTINUOUS:
            job = self.new_job("")  # the line was started elsewhere
        cause = self.cause
        await self._machines.move(wanted, cause, job or Job())
        if wanted is State.CONTINUOUS:
            self.next = None
        if cause and cause == self.cause and CAUSED[cause][0] == wanted:
            self.cause = ""

    def new_job(self, meas_id: str) -> Job:
        """Its id is of milliseconds since 1970, and greater than all before."""
        self._last_id = max(self._last_id + 1, now_ms())
        return Job(str(self._last_id), meas_id)
