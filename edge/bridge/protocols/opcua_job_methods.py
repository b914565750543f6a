"""Start, Stop, Halt and Reset of OPC 40100-1 as a line can do them, and the jobs that they begin.

A running line is in ContinuousExecution, a paused one Ready: StartContinuous resumes it, Stop and
Abort pause it. With `single_jobs` a running line is Ready, and StartSingleJob takes one picture.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asyncua.common.node import Node
from asyncua.ua.status_codes import StatusCodes

from edge.bridge.line_requests import Failure
from edge.bridge.protocols.opcua_jobs import Jobs, SingleJob
from edge.bridge.protocols.opcua_line import OpcuaLine
from edge.bridge.protocols.opcua_methods import Function, Methods, Refused
from edge.bridge.protocols.opcua_nodeset import Standard, id_of, value_of
from edge.bridge.protocols.opcua_results import Job
from edge.bridge.protocols.opcua_start_request import LONGEST, StartRequest
from edge.bridge.protocols.opcua_state_machines import AUTOMATIC_MODE, VISION, StateMachines
from edge.bridge.protocols.opcua_states import EXECUTING, Cause, State

log = logging.getLogger(__name__)

TEXTS = {
    "Halt": "Nothing is offered until Reset. The line goes on.",
    "Reset": "Ends Halt, and the trouble of a part.",
    "SelectModeAutomatic": "Never possible: the line's first heartbeat does it.",
    "StartContinuous": "Resumes the paused line.",
    "StartSingleJob": "Takes one picture, of the part that is under the camera now.",
    "Stop": "Pauses the line.",
    "Abort": "Pauses the line.",
}


class JobMethods:
    """The methods of both state machines: `link` once."""

    def __init__(self, line: OpcuaLine, machines: StateMachines, jobs: Jobs) -> None:
        self._line, self._machines, self._jobs = line, machines, jobs

    async def link(self, standard: Standard, vision: Node, automatic: Node) -> None:
        """Give the two machines' methods their functions."""
        of_vision: dict[str, Function] = {
            "Halt": self._halt,
            "Reset": self._reset,
            "SelectModeAutomatic": self._select_automatic,
        }
        of_automatic: dict[str, Function] = {
            "StartContinuous": self._start_continuous,
            "StartSingleJob": self._start_single,
            "Stop": self._stop,
            "Abort": self._abort,
        }
        for functions, methods in (
            (of_vision, Methods(standard, vision, VISION)),
            (of_automatic, Methods(standard, automatic, AUTOMATIC_MODE)),
        ):
            for name, function in functions.items():
                await methods.link(name, function, TEXTS[name])

    def _require(self, *states: State) -> None:
        if self._machines.state not in states:
            raise Refused(StatusCodes.BadInvalidState)

    async def _halt(self, cause: int | None, text: str | None) -> tuple[Any, ...]:
        self._require(*(state for state in State if state is not State.HALTED))
        _log("Halt", cause, text)
        self._jobs.cause = "Halt"
        self._line.halt()
        await self._line.until(lambda: self._machines.state is State.HALTED)
        return (0,)

    async def _reset(self, cause: int | None, text: str | None) -> tuple[Any, ...]:
        self._require(*(state for state in State if state is not State.PREOPERATIONAL))
        _log("Reset", cause, text)
        self._jobs.cause = "Reset"
        self._line.reset()
        await self._line.until(lambda: self._jobs.cause != "Reset")
        return (0,)

    async def _select_automatic(self) -> tuple[Any, ...]:
        self._require(State.PREOPERATIONAL)
        log.warning("SelectModeAutomatic was refused: nothing was received from the line yet")
        return (-Failure.NO_ANSWER,)

    async def _start_continuous(self, *arguments: Any) -> tuple[Any, ...]:
        self._require(State.READY)
        asked = StartRequest(*arguments)
        why = "each part has an id of its own" if id_of(asked.part) else ""
        if self._line.single_jobs:
            why = "--single-jobs: each picture needs a StartSingleJob"
        if _is_refused("StartContinuous", asked.why_refused(self._line) or why):
            return value_of("JobIdDataType"), -Failure.REFUSED
        job = self._jobs.new_job(id_of(asked.meas))
        self._jobs.cause, self._jobs.next = "StartContinuous", job
        with self._forgotten_if_cancelled():
            failure = (await self._line.pause(paused=False)).failure
            if failure:
                self._jobs.cause, self._jobs.next = "", None
                return value_of("JobIdDataType"), -failure
            await self._line.until(lambda: self._machines.state is State.CONTINUOUS)
        return value_of("JobIdDataType", Id=job.id), 0

    @contextmanager
    def _forgotten_if_cancelled(self) -> Iterator[None]:
        """A client that has left is not the cause of a later change, nor has it a job."""
        try:
            yield
        except BaseException:
            self._jobs.cause, self._jobs.next = "", None
            raise

    async def _start_single(self, *arguments: Any) -> tuple[Any, ...]:
        self._require(State.READY)
        if self._jobs.single is not None:
            raise Refused(StatusCodes.BadInvalidState)
        why = "" if self._line.single_jobs else "the bridge was started without --single-jobs"
        asked = StartRequest(*arguments)
        if _is_refused("StartSingleJob", asked.why_refused(self._line) or why):
            return value_of("JobIdDataType"), -Failure.REFUSED
        job = self._jobs.new_job(id_of(asked.meas))
        failure = await self._begin_single(job, id_of(asked.part))
        return value_of("JobIdDataType", Id="" if failure else job.id), -failure

    async def _begin_single(self, job: Job, part_id: str) -> Failure:
        until_s = time.monotonic() + self._line.deadline_s
        single = self._jobs.single = SingleJob(job, int(job.id), until_s)
        try:
            outcome = await self._line.trigger(single.trigger_id, None, part_id)
        except BaseException:  # the client has left: the line may take the picture all the same
            single.accepted = True
            raise
        if outcome.state == "done":
            single.accepted, self._jobs.cause = True, "StartSingleJob"
        else:
            self._jobs.single = None
        return outcome.failure

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
        self._jobs.cause = cause
        with self._forgotten_if_cancelled():
            outcome = await self._line.pause(paused=True)
            if outcome.failure:
                self._jobs.cause = ""
            else:
                await self._line.until(lambda: self._machines.state is State.READY)
        return (-outcome.failure,)


def _is_refused(method: str, why: str) -> bool:
    if why:
        log.warning("%s was refused: %s", method, why)
    return bool(why)


def _log(method: str, cause: int | None, text: str | None) -> None:
    log.info("an OPC UA client calls %s: cause %s %r", method, cause, (text or "")[:LONGEST])
