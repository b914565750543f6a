"""Shifts as periods of time: the one of a moment, the last ones that have finished, one by key."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from edge.archive.errors import ArchiveError
from edge.archive.statistics import Shifts

KEY = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Shift:
    """One shift: its name, its begin and end in UTC, and its key: the plant's time of its begin."""

    name: str
    begin: datetime
    end: datetime
    key: str


def shift_at(shifts: Shifts, at: datetime) -> Shift:
    """The shift of a moment. A day on which the clocks change has a longer or a shorter one."""
    begun, name = shifts.begin(at)
    times = sorted(shifts.begins.values())
    later = [t for t in times if t > begun.time()]
    end_day = begun.date() if later else begun.date() + timedelta(days=1)
    end = _moment(end_day, later[0] if later else times[0], shifts.zone)
    begin = _moment(begun.date(), begun.time(), shifts.zone)
    return Shift(name, begin, end, begun.strftime(KEY))


def shift_of_key(shifts: Shifts, key: str) -> Shift:
    """The shift of a key, as 2026-11-02T06:00. Raises ArchiveError."""
    try:
        begin = datetime.strptime(key, KEY)
        found = shift_at(shifts, _moment(begin.date(), begin.time(), shifts.zone))
    except (ValueError, OverflowError):
        found = None
    if found is None or found.key != key:
        begins = ", ".join(f"{name} {t:%H:%M}" for name, t in shifts.begins.items())
        raise ArchiveError(
            f"no shift begins at '{key}' ({begins}): write day and time, as 2026-11-02T06:00"
        )
    return found


def finished_shifts(shifts: Shifts, now: datetime, count: int) -> list[Shift]:
    """The last shifts that have ended, newest first."""
    return list(islice(_before(shifts, shift_at(shifts, now)), count))


def _before(shifts: Shifts, shift: Shift) -> Iterator[Shift]:
    while True:
        shift = shift_at(shifts, shift.begin - timedelta(seconds=1))
        yield shift


def day_begin(shifts: Shifts, day: date) -> datetime:
    """When a day begins in the plant's zone."""
    return _moment(day, time(), shifts.zone)


def _moment(day: date, at: time, zone: ZoneInfo | None) -> datetime:
    """A time of the plant's clocks; of this machine's where no zone is set."""
    return datetime.combine(day, at, zone).astimezone(UTC)
