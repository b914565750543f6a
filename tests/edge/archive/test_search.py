"""Searches give what a plain loop over all parts gives, in pages without repeats or holes."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from edge.archive.archive import Archive
from edge.archive.database import open_database, reading
from edge.archive.errors import ArchiveError
from edge.archive.labels import Given
from edge.archive.picture_store import PictureStore
from edge.archive.query import Query, parse_query
from edge.archive.search import Found, find
from edge.archive.writer import Writer
from edge.events.codes import Code
from edge.events.event import Event, Inspection
from tests.support.archived import BEGIN, inspected, write

PARTS = 60


def part(number: int) -> Event:
    """Parts of three stations, two products, all verdicts."""
    verdict = ("OK", "NG", "OK", "NO_VERDICT", "NG")[number % 5]
    return inspected(
        number,
        stream=f"stream-{number % 3}-0123456789",
        station=f"line-{number % 3}",
        product=("lid", "cup")[number % 2],
        version=str(number % 4),
        verdict=verdict,
        part_id=f"P{number // 2}" if number % 7 else None,
        trigger_id=number if number % 4 else None,
        roi="rim" if number % 6 == 0 else None,
        box=(number, number, 10, 10),
        score=None if verdict == "NO_VERDICT" else number / PARTS,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive with PARTS parts."""
    folder = tmp_path_factory.mktemp("archive")
    engine = open_database(str(folder / "a.db"), create=True)
    fill(engine, folder)
    engine.dispose()
    with Archive(str(folder / "a.db"), str(folder / "pictures")) as opened:
        opened.add_kind("scratch", "eva")
        for number in (1, 4):  # both NG
            opened.label(key_of(opened, number), Given("defect", "eva", "scratch"))
        opened.label(key_of(opened, 6), Given("false-reject", "eva"))
        yield opened


def fill(engine: Engine, folder: Path) -> None:
    writer = Writer(engine, PictureStore(str(folder / "pictures")))
    for number in range(1, PARTS + 1):
        write(writer, [part(number)], f"tcp://{number % 3}")


def key_of(archive: Archive, number: int) -> str:
    return archive.find(Query(inspection=number)).parts[0].key


def header(number: int) -> Inspection:
    made = part(number).header
    assert isinstance(made, Inspection)
    return made


def touches(number: int, box: tuple[int, int, int, int]) -> bool:
    x, y, width, height = box
    return any(
        r.box[0] < x + width
        and r.box[0] + r.box[2] > x
        and r.box[1] < y + height
        and r.box[1] + r.box[3] > y
        for r in header(number).regions
    )


def expected(query: Query) -> list[int]:
    """The same by a plain loop."""
    labelled = {1: ("defect", "scratch"), 4: ("defect", "scratch"), 6: ("false-reject", None)}
    checks: list[tuple[object, Callable[[int, Inspection], bool]]] = [
        (query.since, lambda n, h: BEGIN + timedelta(seconds=n) >= query.since),  # type: ignore[operator]
        (query.until, lambda n, h: BEGIN + timedelta(seconds=n) < query.until),  # type: ignore[operator]
        (query.station, lambda n, h: h.station == query.station),
        (query.product, lambda n, h: h.product == query.product),
        (query.version, lambda n, h: h.version == query.version),
        (query.verdict, lambda n, h: h.verdict == query.verdict),
        (query.code, lambda n, h: h.code.number == query.code),
        (query.part, lambda n, h: h.part_id == query.part),
        (query.trigger, lambda n, h: h.trigger_id == query.trigger),
        (query.roi, lambda n, h: h.roi == query.roi),
        (query.score_from, lambda n, h: h.score is not None and h.score >= query.score_from),  # type: ignore[operator]
        (query.score_to, lambda n, h: h.score is not None and h.score <= query.score_to),  # type: ignore[operator]
        (query.label, lambda n, h: labelled.get(n, ("",))[0] == query.label),
        (query.kind, lambda n, h: labelled.get(n, ("", None))[1] == query.kind),
        (query.box, lambda n, h: touches(n, query.box)),  # type: ignore[arg-type]
    ]
    wanted = [check for value, check in checks if value is not None]
    numbers = range(PARTS, 0, -1)
    return [n for n in numbers if all(check(n, header(n)) for check in wanted)]


def some(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), st.none(), values)


queries = st.builds(
    Query,
    since=some(st.integers(0, PARTS).map(lambda n: BEGIN + timedelta(seconds=n))),
    until=some(st.integers(0, PARTS).map(lambda n: BEGIN + timedelta(seconds=n))),
    station=some(st.sampled_from(["line-0", "line-1", "line-9"])),
    product=some(st.sampled_from(["lid", "cup", "hat"])),
    version=some(st.sampled_from(["1", "2", "9"])),
    verdict=some(st.sampled_from(["OK", "NG", "NO_VERDICT"])),
    code=some(st.sampled_from([0, int(Code.OVERRUN), 999])),
    part=some(st.sampled_from(["P1", "P5", "none"])),
    trigger=some(st.integers(1, PARTS)),
    roi=some(st.sampled_from(["rim", "hub"])),
    score_from=some(st.floats(0, 1)),
    score_to=some(st.floats(0, 1)),
    label=some(st.sampled_from(["defect", "false-reject", "missed"])),
    kind=some(st.sampled_from(["scratch", "dent"])),
    box=some(st.tuples(*(st.integers(0, PARTS),) * 2, *(st.integers(1, 20),) * 2)),
)


@given(query=queries, limit=st.integers(1, 9))
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_query_finds_what_a_plain_loop_finds(
    archive: Archive, query: Query, limit: int
) -> None:
    found: list[Found] = []
    page = archive.find(query, limit)
    found += page.parts
    while page.after is not None:
        page = archive.find(query, limit, page.after)
        assert len(page.parts) <= limit
        found += page.parts
    assert [p.inspection_id for p in found] == expected(query)
    assert [p.key for p in archive.find_all(query)] == [p.key for p in found]


def test_searches_work_on_postgresql_too(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path)
    for query in (
        Query(product="lid", verdict="NG"),
        Query(score_from=0.2, score_to=0.7, station="line-1"),
        Query(box=(10, 10, 15, 15)),
        Query(since=BEGIN + timedelta(seconds=20), part="P15"),
    ):
        with reading(engine) as connection:
            first = find(connection, query, 3, None)
            rest = find(connection, query, 100, first.after) if first.after else None
        numbers = [p.inspection_id for p in (*first.parts, *(rest.parts if rest else ()))]
        assert numbers == expected(query)


def test_new_parts_do_not_shift_the_pages(tmp_path: Path) -> None:
    engine = open_database(str(tmp_path / "a.db"), create=True)
    writer = Writer(engine, PictureStore(str(tmp_path / "pictures")))
    write(writer, [inspected(n) for n in range(1, 11)])
    with Archive(str(tmp_path / "a.db")) as archive:
        first = archive.find(Query(), 4)
        write(writer, [inspected(n) for n in range(11, 21)])
        second = archive.find(Query(), 4, first.after)
    assert [p.inspection_id for p in first.parts] == [10, 9, 8, 7]
    assert [p.inspection_id for p in second.parts] == [6, 5, 4, 3]
    engine.dispose()


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("colour=red", "'colour=red' is not NAME=VALUE"),
        ("verdict", "'verdict' is not NAME=VALUE"),
        ("verdict=GOOD", "'verdict=GOOD' cannot be used"),
        ("since=soon", "'since=soon' cannot be used"),
        ("code=nonsense", "'code=nonsense' cannot be used"),
        ("score_from=nan", "'score_from=nan' cannot be used"),
        ("box=1+2+3", "'box=1+2+3' cannot be used"),
        ("trigger=x", "'trigger=x' cannot be used"),
        ("since=99999999999d", "'since=99999999999d' cannot be used"),
        ("since=0001-01-01T00:00:00+14:00", "not within the years 1 to 9999"),
    ],
)
def test_a_word_that_cannot_be_used_is_named(word: str, says: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        parse_query([word])
    assert says in str(caught.value)


def test_times_are_local_without_a_zone_and_may_be_relative() -> None:
    query = parse_query(["since=2026-11-02T06:00", "until=2h"])
    assert query.since is not None
    assert query.since.utcoffset() is not None
    assert query.until is not None
    assert parse_query(["code=overrun"]).code == Code.OVERRUN


@pytest.mark.parametrize("key", ["", "1", "x-y", "1-2-3", "1--2", "999-1"])
def test_a_key_that_is_not_there_is_one_line(archive: Archive, key: str) -> None:
    with pytest.raises(ArchiveError, match="key"):
        archive.part(key)


def test_archive_search_finds_a_part_by_its_log_and_number(engine: Engine, writer: Writer) -> None:
    """Also the last archived event of that log, with the counts of the same moment."""
    write(writer, [inspected(4), inspected(5, verdict="NG")])
    with Archive(engine.url.render_as_string(hide_password=False)) as archive:
        key = archive.key_of("0123456789abcdef", 5)
        assert key is not None
        assert (archive.part(key).inspection_id, archive.part(key).verdict) == (5, "NG")
        assert archive.key_of("0123456789abcdef", 6) is None
        assert archive.key_of("another", 5) is None
        (counts,), head = archive.counts_with_head(Query(station="line-1"), "0123456789abcdef")
        assert (counts.ok, counts.ng, head) == (1, 1, 5)
        assert archive.counts_with_head(Query(station="line-2"), "another") == ([], None)
