"""Requests to the control socket of a running line, and its replies."""

from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edge.base.errors import DraemError
from edge.base.person import LONGEST_ORIGIN, LONGEST_REASON, LONGEST_WHO, Person, one_line
from edge.events.clock import MonotonicTime

UNKNOWN_FIELD = b"Extra inputs are not permitted"  # pydantic's words


class TriggerRefused(DraemError):
    """The line's camera is not triggered by the program, or the request came too late."""


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Reply(BaseModel):
    """Every reply names the station and what it judges."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    station: str = ""
    product: str = ""
    version: str | None = ""


class _ChangeRequest(_Request):
    """What changes the line may say who requests it, from where and why; for the audit trail."""

    who: Annotated[str, Field(max_length=LONGEST_WHO), AfterValidator(one_line)] | None = None
    origin: Annotated[str, Field(max_length=LONGEST_ORIGIN), AfterValidator(one_line)] | None = None
    reason: Annotated[str, Field(max_length=LONGEST_REASON), AfterValidator(one_line)] | None = None


class Request(_ChangeRequest):
    """A request without other parameters."""

    request: Literal["health", "product", "counters", "clock", "pause", "resume"]


class SwitchRequest(_ChangeRequest):
    """Change the product that is judged; without a version to its current one."""

    request: Literal["switch"] = "switch"
    product: str
    version: str | None = None


class TriggerRequest(_Request):
    """A part is under the camera now; its event will have these ids.

    After `not_after`, a time of the line's own clock (request `clock`), the next part may be there:
    a request that was delayed until then takes no picture.
    """

    request: Literal["trigger"] = "trigger"
    trigger_id: int = Field(ge=0, lt=2**63)
    encoder: int | None = Field(None, ge=-(2**63), lt=2**63)
    part_id: str | None = Field(None, max_length=200)
    not_after: MonotonicTime | None = None


class TriggerReply(_Reply):
    """The trigger was passed to the camera."""

    reply: Literal["trigger"] = "trigger"
    trigger_id: int


class ClockReply(_Reply):
    """The time on the line's machine."""

    reply: Literal["clock"] = "clock"
    now: MonotonicTime


class Health(_Reply):
    """The state of the line; `hung` if its loop has not turned for two seconds.

    `outage` is the code of why the camera gives no frames, `drift` that of what has changed since
    the calibration.
    """

    reply: Literal["health"] = "health"
    state: Literal["running", "paused", "fault", "hung"]
    uptime_s: float
    turned_s_ago: float
    head: int
    unlogged: int
    outage: str = ""
    drift: str = ""


class ChangeStatus(BaseModel):
    """The last product change that was requested, the `number`-th, and its state."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    number: int = 0
    state: Literal["none", "loading", "done", "failed"] = "none"
    product: str = ""
    version: str | None = None
    message: str = ""


class ProductReply(_Reply):
    """The product that is judged, and the last change that was requested."""

    reply: Literal["product"] = "product"
    change: ChangeStatus = ChangeStatus()


class CountersReply(_Reply):
    """Since the start: verdicts by name, frames passed over, pictures not kept.

    `camera` has the counters of a live camera; it is empty for files and the simulated line.
    """

    reply: Literal["counters"] = "counters"
    verdicts: dict[str, int] = Field(default_factory=dict)
    passed_over: int
    pictures_dropped: int
    camera: dict[str, int] = Field(default_factory=dict)


class Asks(Protocol):
    """A client of the control socket, or a simulated line."""

    def ask(self, question: BaseModel, /) -> list[bytes]: ...


def ask_as(person: Person, line: Asks, request: Request | SwitchRequest) -> list[bytes]:
    """Send a request of a person. A station before schema 1.4 gets it without who and why."""
    said = {"who": person.who, "origin": person.origin, "reason": person.reason}
    answer = line.ask(request.model_copy(update={k: v or None for k, v in said.items()}))
    if UNKNOWN_FIELD in answer[0]:
        answer = line.ask(request)
    return answer
