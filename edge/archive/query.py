"""A question to the archive, written as words: `product=lid verdict=NG since=2026-11-29`."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge.archive.errors import ArchiveError
from edge.base.text import printable
from edge.base.validation import reason
from edge.events.codes import Code
from edge.events.event import Verdict

LARGEST = 2**63  # of a database
Label = Literal["defect", "false-reject", "missed", "good", "unsure"]


def parse_time(text: str, zone: tzinfo | None = None) -> datetime:
    """A time in ISO 8601; or `today`, `yesterday`, `2h` or `7d` before now. Raises ValueError.

    What names no zone is of `zone`; where that is None, ISO 8601 stays without, and the others are
    of this machine's.
    """
    now = datetime.now().astimezone(zone)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return today - timedelta(days=text == "yesterday")
    if text[:-1].isdecimal() and text[-1] in "hd":
        try:
            return now - int(text[:-1]) * timedelta(hours=1 if text[-1] == "h" else 24)
        except OverflowError as error:
            raise ValueError("longer ago than calendars go") from error
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _time(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


def _local(moment: datetime) -> datetime:
    try:
        return moment.astimezone()
    except OverflowError as error:
        raise ValueError("not within the years 1 to 9999 here") from error


def _code(value: object) -> object:
    """A code by its number or its name."""
    text = str(value)
    return int(text) if text.isdecimal() else int(Code[text.upper()]) if text else value


def _box(value: object) -> object:
    return tuple(value.split("+")) if isinstance(value, str) else value


Pixels = Annotated[int, Field(ge=0, lt=2**31)]
Time = Annotated[datetime, BeforeValidator(_time), AfterValidator(_local)]


class Query(BaseModel):
    """Which inspections. A field that is None does not matter; all others must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    since: Time | None = Field(None, description="captured at or after this time")
    until: Time | None = Field(None, description="captured before this time")
    station: str | None = Field(None, description="the station's name")
    product: str | None = Field(None, description="the product's name")
    version: str | None = Field(None, description="the product's version")
    verdict: Verdict | None = Field(None, description="OK, NG or NO_VERDICT")
    code: Annotated[int, BeforeValidator(_code), Field(ge=0, lt=2**15)] | None = Field(
        None, description="number or name of a code"
    )
    score_from: float | None = Field(None, description="the lowest score")
    score_to: float | None = Field(None, description="the highest score")
    label: Label | None = Field(None, description="defect, false-reject, missed, good or unsure")
    kind: str | None = Field(None, description="the kind of a labelled defect")
    part: str | None = Field(None, description="the part's id")
    trigger: int | None = Field(None, ge=-LARGEST, lt=LARGEST, description="the trigger's id")
    inspection: int | None = Field(None, ge=0, lt=LARGEST, description="the inspection's id")
    roi: str | None = Field(None, description="the region of interest that decided")
    box: Annotated[tuple[Pixels, Pixels, Pixels, Pixels], BeforeValidator(_box)] | None = Field(
        None, description="a defect touches x+y+width+height in camera pixels"
    )


def parse_query(words: Iterable[str]) -> Query:
    """A query of words NAME=VALUE. Raises ArchiveError that names the word to correct."""
    given: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in Query.model_fields:
            names = ", ".join(Query.model_fields)
            raise ArchiveError(f"'{word}' is not NAME=VALUE with one of the names {names}")
        given[name] = printable(value)
    try:
        return Query(**given)
    except (ValidationError, KeyError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        name = str(first["loc"][0]) if first else "code"
        why = reason(first) if first else f"there is no code {error}"
        field = Query.model_fields[name].description
        raise ArchiveError(f"'{name}={given[name]}' cannot be used ({why}): {field}") from error


def words_of(query: Query) -> Iterator[str]:
    """The words of a query, for `parse_query`; times are fixed and have their zone."""
    for name, value in query:
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, tuple):
            value = "+".join(map(str, value))
        if value is not None:
            yield f"{name}={value}"
