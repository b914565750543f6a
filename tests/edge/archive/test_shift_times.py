"""Shifts as periods, on days on which the clocks change too."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from edge.archive.errors import ArchiveError
from edge.archive.shift_times import finished_shifts, shift_at, shift_of_key
from edge.archive.statistics import Shifts

BERLIN = Shifts(zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("key", "hours"), [("2026-10-24T22:00", 9), ("2026-03-28T22:00", 7), ("2026-11-02T22:00", 8)]
)
def test_a_night_is_as_long_as_the_clocks_make_it(key: str, hours: int) -> None:
    shift = shift_of_key(BERLIN, key)
    assert (shift.name, shift.key) == ("night", key)
    assert shift.end - shift.begin == timedelta(hours=hours)


def test_finished_shifts_follow_each_other_without_a_gap() -> None:
    now = datetime(2026, 10, 26, 12, tzinfo=UTC)
    found = [shift_at(BERLIN, now), *finished_shifts(BERLIN, now, 20)]
    assert all(later.begin == earlier.end for later, earlier in pairwise(found))
    assert all(shift_of_key(BERLIN, shift.key) == shift for shift in found)


@pytest.mark.parametrize("key", ["2026-11-02T06:15", "2026-11-02", "x", "", "2026-13-01T06:00"])
def test_a_key_that_begins_no_shift_is_refused_with_the_shifts(key: str) -> None:
    with pytest.raises(ArchiveError, match=r"early 06:00, late 14:00, night 22:00"):
        shift_of_key(BERLIN, key)
