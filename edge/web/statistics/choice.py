"""What the statistics page shows, as it stands in the page's address."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.archive.query import Query
from edge.archive.score_drift import Every
from edge.archive.shift_times import day_begin, finished_shifts, shift_at
from edge.archive.statistics import By, Shifts
from edge.base.errors import DraemError
from edge.base.text import printable

PeriodName = Literal["today", "shift", "last-shift", "week", "month", "range"]
MOST_DAYS: Mapping[str, int] = {"hour": 45, "shift": 400, "day": 1500}


class ChoiceError(DraemError):
    """What the address asks for has no sense."""


class Choice(BaseModel):
    """Period, grouping and filters. Dates are days of the plant; the last one is included."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    period: PeriodName = "today"
    by: By | None = None
    since: date | None = None
    until: date | None = None
    station: str | None = None
    product: str | None = None
    version: str | None = None

    @property
    def grouping(self) -> By:
        """What is counted by; hours of a short period, days of a long one where nothing is said."""
        return self.by or ("hour" if self.period in ("today", "shift", "last-shift") else "day")

    @property
    def every(self) -> Every:
        """The periods of charts over time."""
        grouping = self.grouping
        if grouping in ("hour", "day", "shift"):
            return grouping
        return self.model_copy(update={"by": None}).grouping  # type: ignore[return-value]

    def address(self, **changes: object) -> str:
        """The page's address of this choice with some changes."""
        values = self.model_dump(mode="json") | changes
        given = {name: value for name, value in values.items() if value not in (None, "")}
        return f"/statistics?{urlencode(given)}"

    def query(self, shifts: Shifts, now: datetime | None = None) -> Query:
        """The archive's query. Raises ChoiceError."""
        since, until = self._bounds(shifts, now or datetime.now(UTC))
        names = {name: getattr(self, name) for name in ("station", "product", "version")}
        return Query(since=since, until=until, **names)

    def _bounds(self, shifts: Shifts, now: datetime) -> tuple[datetime, datetime]:
        today = now.astimezone(shifts.zone).date()
        if self.period == "range":
            return self._range(shifts, today)
        if self.period == "shift":
            return shift_at(shifts, now).begin, now
        if self.period == "last-shift":
            last = finished_shifts(shifts, now, 1)[0]
            return last.begin, last.end
        before = {"today": 0, "week": 6, "month": 29}[self.period]
        return day_begin(shifts, today - timedelta(days=before)), now

    def _range(self, shifts: Shifts, today: date) -> tuple[datetime, datetime]:
        since, until = self.since or today, self.until or today
        if since > until:
            raise ChoiceError(f"{since} is after {until}: correct the dates")
        most = MOST_DAYS[self.every]
        if (until - since).days > most:
            raise ChoiceError(
                f"more than {most} days by {self.every} are too many to show: choose fewer days, "
                "or longer periods"
            )
        try:
            return day_begin(shifts, since), day_begin(shifts, until + timedelta(days=1))
        except OverflowError as error:
            raise ChoiceError(f"calendars do not go to {until}: correct the dates") from error


def choice_of(given: Mapping[str, str]) -> Choice:
    """The choice in an address. Raises ChoiceError."""
    try:
        return Choice(**{name: printable(value) for name, value in given.items() if value})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        known = {"period": PeriodName, "by": By}.get(name)
        right = f"one of {', '.join(get_args(known))}" if known else "a day, as 2026-11-02"
        raise ChoiceError(f"'{name}' in the address cannot be used: write {right}") from error
