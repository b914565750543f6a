"""Statistics from the tallies agree with a plain count of the parts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from edge.archive.control_chart import p_chart
from edge.archive.database import reading
from edge.archive.errors import ArchiveError
from edge.archive.query import Query
from edge.archive.statistics import Of, Shifts, counts, pareto, score_distribution
from edge.archive.writer import Writer
from edge.events.codes import Code
from tests.support.archived import inspected, write

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 11, 2, 5, 50, tzinfo=BERLIN)


def at(minutes: float) -> dict[str, str]:
    moment = (AT + timedelta(minutes=minutes)).astimezone(UTC).isoformat()
    return {"captured_at": moment, "published_at": moment}


@pytest.fixture
def filled(engine: Engine, writer: Writer) -> Engine:
    """Ten parts in the night, twenty in the early shift."""
    parts = [inspected(n, **at(n % 10)) for n in range(1, 9)]
    parts += [inspected(n, verdict="NG", **at(9)) for n in (9, 10)]
    for n in range(11, 31):
        verdict = "NO_VERDICT" if n > 28 else "NG" if n > 25 else "OK"
        parts.append(inspected(n, verdict=verdict, part_id=f"P{n // 2}", **at(10 + n)))
    write(writer, parts)
    return engine


def test_counts_by_shift_in_the_plants_time_zone(filled: Engine) -> None:
    with reading(filled) as connection:
        night, early = counts(connection, Query(), ["shift"], Shifts(zone=BERLIN))
    assert (night.group, night.ok, night.ng) == ("2026-11-01 22:00 night", 8, 2)
    assert (early.group, early.ok, early.ng, early.no_verdict) == (
        "2026-11-02 06:00 early",
        15,
        3,
        2,
    )
    assert night.ng_rate == pytest.approx(0.2)
    assert early.ng_rate == pytest.approx(3 / 18)


def test_first_pass_yield_counts_a_part_once(filled: Engine) -> None:
    with reading(filled) as connection:
        (everything,) = counts(connection, Query(), [])
    # 10 parts without id, and P5 (11) to P15 (30): 11 ids, of which P13 to P15 begin not OK
    assert everything.first == 21
    assert everything.first_ok == 8 + 8
    assert everything.first_pass_yield == pytest.approx(16 / 21)


def test_counts_by_hour_and_product_can_be_narrowed(filled: Engine) -> None:
    with reading(filled) as connection:
        query = Query(since=datetime(2026, 11, 2, 6, tzinfo=BERLIN), product="lid")
        found = counts(connection, query, ["hour", "product"], Shifts(zone=BERLIN))
    assert [(c.group, c.ok + c.ng + c.no_verdict) for c in found] == [
        ("2026-11-02 06:00+0100 lid", 20)
    ]


def test_the_hour_that_comes_twice_in_autumn_is_two_hours(engine: Engine, writer: Writer) -> None:
    begin = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, the first time
    moments = [(begin + timedelta(hours=n)).isoformat() for n in range(2)]
    parts = [inspected(n, captured_at=m) for n, m in enumerate(moments, 1)]
    write(writer, parts)
    with reading(engine) as connection:
        found = counts(connection, Query(), ["hour"], Shifts(zone=BERLIN))
    assert [c.group for c in found] == ["2026-10-25 02:00+0100", "2026-10-25 02:00+0200"]


def test_pareto_of_codes_places_and_scores(engine: Engine, writer: Writer) -> None:
    parts = [inspected(n, verdict="NO_VERDICT", code=Code.STALE) for n in range(1, 4)]
    parts += [inspected(4, verdict="NO_VERDICT", code=Code.PAUSED)]
    parts += [inspected(n, verdict="NG", box=(100, 10, 20, 20)) for n in range(5, 8)]
    parts += [inspected(8, verdict="NG", box=(0, 0, 10, 10))]
    write(writer, parts)
    with reading(engine) as connection:
        assert pareto(connection, Query(), "code") == [("stale", 3), ("paused", 1)]
        assert pareto(connection, Query(product="lid"), "place") == [("64,0", 3), ("0,0", 1)]
        assert pareto(connection, Query(product="hat"), "place") == []
        ((_, count),) = score_distribution(connection, Query())
    assert count == 4


def test_what_the_tallies_do_not_know_is_refused(filled: Engine) -> None:
    with (
        reading(filled) as connection,
        pytest.raises(ArchiveError, match="cannot be narrowed by part"),
    ):
        counts(connection, Query(part="P5"), [])


@pytest.mark.parametrize("of", ["label", "kind", "place"])
def test_a_word_that_would_have_no_effect_is_refused(filled: Engine, of: Of) -> None:
    with (
        reading(filled) as connection,
        pytest.raises(ArchiveError, match="cannot be narrowed by station"),
    ):
        pareto(connection, Query(station="line-1"), of)


@pytest.mark.parametrize(
    ("hour", "name", "day"), [(5, "night", 1), (6, "early", 2), (14, "late", 2), (23, "night", 2)]
)
def test_a_shift_over_midnight_belongs_to_the_day_of_its_begin(
    hour: int, name: str, day: int
) -> None:
    begun, found = Shifts(zone=BERLIN).begin(datetime(2026, 11, 2, hour, 30, tzinfo=BERLIN))
    assert (found, begun.day) == (name, day)


def test_the_p_chart_has_the_limits_of_the_handbook() -> None:
    # Montgomery, example 7.1: 30 samples of 50 cans, 347 nonconforming, limits 0.0524 and 0.4102.
    rejects = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22,
               8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]  # fmt: skip
    mean, points = p_chart([(50, k) for k in rejects])
    assert mean == pytest.approx(0.2313, abs=1e-4)
    assert points[0].lower == pytest.approx(0.0524, abs=1e-4)
    assert points[0].upper == pytest.approx(0.4102, abs=1e-4)
    assert [i + 1 for i, p in enumerate(points) if 1 in p.broken] == [15, 23]


def test_each_western_electric_rule() -> None:
    calm = [(100, 10), (100, 10)] * 20

    def broken(*last: int) -> tuple[int, ...]:
        return p_chart([*calm, *((100, k) for k in last)])[1][-1].broken

    assert broken(10) == ()
    assert 1 in broken(25)
    assert 2 in broken(17, 10, 17)
    assert 2 not in broken(17, 10, 10)
    assert 3 in broken(14, 14, 10, 14, 14)
    assert 4 in broken(*[11] * 8)
    assert 4 not in broken(*[11] * 7)
    assert 2 not in broken(17, 10, 4)  # on both sides of the mean
