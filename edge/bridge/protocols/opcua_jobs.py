"""Start, Stop, Halt and Reset of OPC 40100-1 as a line can do them, and the jobs that they begin.

A running line is in ContinuousExecution, a paused one Ready: StartContinuous resumes it, Stop and
Abort pause it. With `single_jobs` a running line is Ready, and StartSingleJob takes one picture.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from asyncua.common.node import Node
from asyncua.ua.status_codes import StatusCodes

from edge.bridge.line_requests import Failure
from edge.bridge.protocols.opcua_line import OpcuaLine
from edge.bridge.protocols.opcua_methods import Methods, Refused
from edge.bridge.protocols.opcua_nodeset import Standard, id_of, value_of
from edge.bridge.protocols.opcua_results import Job
from edge.bridge.protocols.opcua_state_machines import AUTOMATIC_MODE, VISION, StateMachines
from edge.bridge.protocols.opcua_states import CAUSED, EXECUTING, Cause, State, state_of
from edge.bridge.signals import Trouble
from edge.events.event import Inspection

log = logging.getLogger(__name__)

LONGEST = 200  # characters of a client's MeasId, and of its texts in the log
TEXTS = {
    "Halt": "Nothing is offered until Reset. The line goes on.",
    "Reset": "Ends Halt, and the trouble of a part.",
    "SelectModeAutomatic": "Never possible: the line's first heartbeat does it.",
    "StartContinuous": "Resumes the paused line.",
    "StartSingleJob": "Takes one picture, of the part that is under the camera now.",
    "Stop": "Pauses the line.",
    "Abort": "Pauses the line.",
}


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
    """Moves the state machines: `build` once, then `publish` in a loop, before the results."""

    def __init__(self, line: OpcuaLine, machines: StateMachines) -> None:
        self._line, self._machines = line, machines
        self._cause: Cause = ""  # the method whose effect has not come yet
        self._next: Job | None = None  # what a StartContinuous has promised
        self._single: SingleJob | None = None
        self._last_id = 0

    async def link(self, standard: Standard, vision: Node, automatic: Node) -> None:
        """Give the two machines' methods their functions."""
        methods = Methods(standard, vision, VISION)
        await methods.link("Halt", self._halt, TEXTS["Halt"])
        await methods.link("Reset", self._reset, TEXTS["Reset"])
        text = TEXTS["SelectModeAutomatic"]
        await methods.link("SelectModeAutomatic", self._select_automatic, text)
        methods = Methods(standard, automatic, AUTOMATIC_MODE)
        await methods.link("StartContinuous", self._start_continuous, TEXTS["StartContinuous"])
        await methods.link("StartSingleJob", self._start_single, TEXTS["StartSingleJob"])
        await methods.link("Stop", self._stop, TEXTS["Stop"])
        await methods.link("Abort", self._abort, TEXTS["Abort"])

    async def publish(self, trouble: Trouble) -> None:
        """Move to the state that the line is in now."""
        if self._cause == "Reset":
            await self._move(State.PREOPERATIONAL)
            self._cause = ""
        await self._move(self._wanted(trouble))
        single = self._single
        if (
            single
            and single.accepted
            and (single.ended or self._machines.state is not State.SINGLE)
        ):
            self._end(single)
            await self._move(self._wanted(trouble))

    def job_of(self, inspection: Inspection) -> Job:
        """The job that a result belongs to; a single job ends with it."""
        single = self._single
        if single and inspection.trigger_id == single.trigger_id:
            single.done = True
            return single.job
        if self._machines.state is State.CONTINUOUS:
            return self._machines.job
        return Job(str(inspection.trigger_id or inspection.frame_id))

    def _wanted(self, trouble: Trouble) -> State:
        job = self._single is not None and self._single.accepted
        line = self._line
        return state_of(trouble, halted=line.halted, single_jobs=line.single_jobs, job=job)

    def _end(self, single: SingleJob) -> None:
        if not single.done:
            log.warning("job %s ends without a result: reject its part", single.job.id)
        self._single = None

    async def _move(self, wanted: State) -> None:
        if wanted is self._machines.state:
            return
        job = self._single.job if self._single else self._next
        if job is None and wanted is State.CONTINUOUS:
            job = self._new_job("")  # the line was started elsewhere
        cause = self._cause
        await self._machines.move(wanted, cause, job or Job())
        if wanted is State.CONTINUOUS:
            self._next = None
        if cause and cause == self._cause and CAUSED[cause][0] == wanted:
            self._cause = ""

    def _new_job(self, meas_id: str) -> Job:
        """Its id is of milliseconds since 1970, and greater than all before."""
        self._last_id = max(self._last_id + 1, milliseconds())
        return Job(str(self._last_id), meas_id)

    def _require(self, *states: State) -> None:
        if self._machines.state not in states:
            raise Refused(StatusCodes.BadInvalidState)

    async def _halt(self, cause: int | None, text: str | None) -> tuple[Any, ...]:
        self._require(*(state for state in State if state is not State.HALTED))
        _log("Halt", cause, text)
        self._cause = "Halt"
        self._line.halt()
        await self._line.until(lambda: self._machines.state is State.HALTED)
        return (0,)

    async def _reset(self, cause: int | None, text: str | None) -> tuple[Any, ...]:
        self._require(*(state for state in State if state is not State.PREOPERATIONAL))
        _log("Reset", cause, text)
        self._cause = "Reset"
        self._line.reset()
        await self._line.until(lambda: self._cause != "Reset")
        return (0,)

    async def _select_automatic(self) -> tuple[Any, ...]:
        self._require(State.PREOPERATIONAL)
        log.warning("SelectModeAutomatic was refused: nothing was received from the line yet")
        return (-Failure.NO_ANSWER,)

    async def _start_continuous(
        self, meas: Any, part: Any, recipe: Any, product: Any, parameters: Any
    ) -> tuple[Any, ...]:
        self._require(State.READY)
        why = "each part has an id of its own" if id_of(part) else ""
        if self._line.single_jobs:
            why = "--single-jobs: each picture needs a StartSingleJob"
        failure = self._refusal("StartContinuous", why, meas, recipe, product, parameters)
        if failure:
            return value_of("JobIdDataType"), -failure
        self._cause, self._next = "StartContinuous", (job := self._new_job(id_of(meas)))
        with self._forgotten_if_cancelled():
            failure = (await self._line.pause(paused=False)).failure
            if failure:
                self._cause, self._next = "", None
                return value_of("JobIdDataType"), -failure
            await self._line.until(lambda: self._machines.state is State.CONTINUOUS)
        return value_of("JobIdDataType", Id=job.id), 0

    @contextmanager
    def _forgotten_if_cancelled(self) -> Iterator[None]:
        """A client that has left is not the cause of a later change, nor has it a job."""
        try:
            yield
        except BaseException:
            self._cause, self._next = "", None
            raise

    async def _start_single(
        self, meas: Any, part: Any, recipe: Any, product: Any, parameters: Any
    ) -> tuple[Any, ...]:
        self._require(State.READY)
        if self._single is not None:
            raise Refused(StatusCodes.BadInvalidState)
        why = "" if self._line.single_jobs else "the bridge was started without --single-jobs"
        failure = self._refusal("StartSingleJob", why, meas, recipe, product, parameters)
        if failure:
            return value_of("JobIdDataType"), -failure
        job = self._new_job(id_of(meas))
        failure = await self._begin_single(job, id_of(part))
        return value_of("JobIdDataType", Id="" if failure else job.id), -failure

    async def _begin_single(self, job: Job, part_id: str) -> Failure:
        until_s = time.monotonic() + self._line.deadline_s
        single = self._single = SingleJob(job, int(job.id), until_s)
        try:
            outcome = await self._line.trigger(single.trigger_id, None, part_id)
        except BaseException:  # the client has left: the line may take the picture all the same
            single.accepted = True
            raise
        if outcome.state == "done":
            single.accepted, self._cause = True, "StartSingleJob"
        else:
            self._single = None
        return outcome.failure

    def _refusal(
        self, method: str, why: str, meas: Any, recipe: Any, product: Any, parameters: Any
    ) -> Failure:
        """What a start asks for and a line cannot do; NONE where nothing is."""
        running = self._line.feed.running()
        wanted = id_of(recipe)
        if wanted and wanted not in (running, self._line.number_of(running)):
            why = f"the line judges {running}, not {wanted[:LONGEST]!r}: call PrepareRecipe"
        elif id_of(product) not in ("", running):
            why = f"the line judges {running}, not {id_of(product)[:LONGEST]!r}"
        elif parameters:
            why = "a line has no parameters"
        elif len(id_of(meas)) > LONGEST:
            why = f"its MeasId is longer than {LONGEST} characters"
        if why:
            log.warning("%s was refused: %s", method, why)
        return Failure.REFUSED if why else Failure.NONE

    async def _stop(self, cause: int | None, text: str | None) -> tuple[Any, ...]:
        self._require(*EXECUTING)
        _log("Stop", cause, text)
        if self._machines.state is State.SINGLE:
            return (0,)  # it ends by itself
        return await self._pause("Stop")

    async def _abort(self, cause: int | None, text: str | None) -> tuple[Any, ...]:
        self._require(*EXECUTING)
        _log("Abort", cause, text)
        if self._machines.state is State.SINGLE:
            log.warning("Abort was refused: the picture is taken, and judged within its deadline")
            return (-Failure.REFUSED,)
        return await self._pause("Abort")

    async def _pause(self, cause: Cause) -> tuple[Any, ...]:
        self._cause = cause
        with self._forgotten_if_cancelled():
            outcome = await self._line.pause(paused=True)
            if outcome.failure:
                self._cause = ""
            else:
                await self._line.until(lambda: self._machines.state is State.READY)
        return (-outcome.failure,)


def milliseconds() -> int:
    """Of the clock, since 1970: later runs of a bridge give other ids."""
    return time.time_ns() // 1_000_000


def _log(method: str, cause: int | None, text: str | None) -> None:
    log.info("an OPC UA client calls %s: cause %s %r", method, cause, (text or "")[:LONGEST])
