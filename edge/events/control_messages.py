"""Requests to the control socket of a running line, and its replies."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.base.errors import DraemError
from edge.events.clock import MonotonicTime


class ChangeStatus(BaseModel):
    """The last change of product that was asked for, the `number`-th, and what became of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    number: int = 0
    state: Literal["none", "loading", "done", "failed"] = "none"
    product: str = ""
    version: str | None = None
    message: str = ""


class Request(BaseModel):
    """What may be asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    request: Literal["health", "product", "counters", "clock", "pause", "resume"]


class SwitchRequest(BaseModel):
    """Which product to judge from now on; without a version its current one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    request: Literal["switch"] = "switch"
    product: str
    version: str | None = None


class TriggerRequest(BaseModel):
    """A part is under the camera now; what is told of it comes back in its event.

    After the moment `not_after` of the line's own clock (request `clock`) another part is there:
    a question that lay in a socket while the line stood still then takes no picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    request: Literal["trigger"] = "trigger"
    trigger_id: int = Field(ge=0, lt=2**63)
    encoder: int | None = Field(None, ge=-(2**63), lt=2**63)
    part_id: str | None = Field(None, max_length=200)
    not_after: MonotonicTime | None = None


class TriggerReply(BaseModel):
    """The trigger is on its way to the camera; its event has the same id."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["trigger"] = "trigger"
    trigger_id: int


class ClockReply(BaseModel):
    """What time it is on the line's machine."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["clock"] = "clock"
    now: MonotonicTime


class TriggerRefused(DraemError):
    """The line's camera is not triggered by the program, or the trigger came too late."""


class Health(BaseModel):
    """How the line is; `hung` where its loop has not turned for two seconds.

    `outage` names the code of why the camera gives no frames, `drift` that of what has changed
    since the calibration.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["health"] = "health"
    state: Literal["running", "paused", "fault", "hung"]
    uptime_s: float
    turned_s_ago: float
    head: int
    unlogged: int
    outage: str = ""
    drift: str = ""


class ProductReply(BaseModel):
    """What the line judges, and what became of the last change that was asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["product"] = "product"
    product: str
    version: str
    change: ChangeStatus = ChangeStatus()


class CountersReply(BaseModel):
    """Since the line was started: verdicts by name, frames passed over, pictures not kept.

    `camera` counts what a live camera gave and withheld; empty for files and the simulated line.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    reply: Literal["counters"] = "counters"
    verdicts: dict[str, int] = Field(default_factory=dict)
    passed_over: int
    pictures_dropped: int
    camera: dict[str, int] = Field(default_factory=dict)
