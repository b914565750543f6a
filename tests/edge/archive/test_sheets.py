"""Pages for people have all parts in both directions, wherever the search's time is over."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from edge.archive.database import reading
from edge.archive.errors import ArchiveError
from edge.archive.query import Query
from edge.archive.search import Found, find
from edge.archive.sheets import Sheet, sheet
from edge.archive.writer import Writer
from edge.events.event import Event
from tests.support.archived import BEGIN, inspected, write

PARTS = 60
QUERIES = [
    Query(),
    Query(station="line-1"),
    Query(product="cup", verdict="NG"),
    Query(version="old"),
    Query(code="overrun"),
    Query(score_from=0.85),
    Query(box=(100, 0, 200, 30)),
    Query(box=(100, 0, 200, 30), product="cup"),
    Query(part="P7"),
    Query(since=BEGIN + timedelta(days=9), until=BEGIN + timedelta(days=21)),
    Query(station="none"),
]


def fill(writer: Writer) -> None:
    """A part every fifteen hours: most quarters of an hour are empty."""
    events: dict[int, list[Event]] = {0: [], 1: []}
    for number in range(1, PARTS + 1):
        made = inspected(
            number,
            stream=f"stream-{number % 2}-0123456789",
            station=f"line-{number % 2}",
            product=("lid", "cup")[number % 2],
            version="old" if number < 9 else "new",
            verdict=("OK", "NG", "OK", "NO_VERDICT", "NG")[number % 5],
            part_id=f"P{number}",
            box=(10 * number, 20, 30, 40),
            captured_at=(BEGIN + timedelta(hours=15 * number)).isoformat(),
        )
        events[number % 2].append(made)
    for line, of_line in events.items():
        write(writer, of_line, f"tcp://{line}")


def walk(engine: Engine, query: Query, newer: bool, budget_s: float) -> Iterator[Sheet]:
    """All pages in one direction, from one end of the archive."""
    with reading(engine) as connection:
        page = sheet(
            connection, query, 4, "0.0.0" if newer else None, newer=newer, budget_s=budget_s
        )
        yield page
        while position := page.newer if newer else page.older:
            page = sheet(connection, query, 4, position, newer=newer, budget_s=budget_s)
            yield page


def keys(parts: list[Found]) -> list[str]:
    return [part.key for part in parts]


@pytest.mark.parametrize("budget_s", [-1.0, 60.0], ids=["one window a page", "all the time"])
def test_sheets_have_every_part_once_in_both_directions(
    engine: Engine, writer: Writer, budget_s: float
) -> None:
    fill(writer)
    for query in QUERIES:
        with reading(engine) as connection:
            wanted = keys(list(find(connection, query, 1000, None).parts))
        older = list(walk(engine, query, False, budget_s))
        assert keys([part for page in older for part in page.parts]) == wanted, query
        newer = list(walk(engine, query, True, budget_s))
        found = keys([part for page in newer[::-1] for part in page.parts])
        assert found == wanted, query


def test_a_sheet_says_how_far_a_search_came_whose_time_was_over(
    engine: Engine, writer: Writer
) -> None:
    fill(writer)
    with reading(engine) as connection:
        page = sheet(connection, Query(score_from=5), 4, budget_s=-1)
        assert page.parts == []
        assert page.reached is not None
        assert page.reached < BEGIN + timedelta(hours=15 * PARTS)
        assert page.older is not None
        whole = sheet(connection, Query(score_from=5), 4, budget_s=60)
        assert (whole.reached, whole.older) == (None, None)


def test_a_sheet_has_a_way_back_to_the_one_before(engine: Engine, writer: Writer) -> None:
    fill(writer)
    with reading(engine) as connection:
        first = sheet(connection, Query(), 4, budget_s=60)
        assert first.newer is None
        second = sheet(connection, Query(), 4, first.older, budget_s=60)
        back = sheet(connection, Query(), 4, second.newer, newer=True, budget_s=60)
        assert keys(list(back.parts)) == keys(list(first.parts))
        assert back.newer is None
        with pytest.raises(ArchiveError, match="'x' is no place in the archive"):
            sheet(connection, Query(), 4, "x")


def test_a_sheet_of_an_empty_archive(engine: Engine) -> None:
    with reading(engine) as connection:
        assert sheet(connection, Query(), 4) == Sheet([], None, None)
