"""The queue of a review has the parts that deserve eyes, once, and nothing that nobody can see."""

from datetime import timedelta

from sqlalchemy import Engine, select, update

from edge.archive.database import reading, writing
from edge.archive.labels import Given, add_kind, add_label, withdraw_label
from edge.archive.opinions import opinions
from edge.archive.query import Query
from edge.archive.review_queue import Wanted, is_sampled, queue, second_queue
from edge.archive.tables import inspection
from edge.archive.writer import Writer
from tests.support.archived import BEGIN, inspected, write

PARTS = 200


def fill(engine: Engine, writer: Writer) -> None:
    """Scores around the threshold of 0.5; every part has a picture but 1-22."""
    events = []
    for number in range(1, PARTS + 1):
        score = 0.1 + 0.8 * (number * 37 % PARTS) / PARTS
        verdict = "NG" if score >= 0.5 else "OK"
        events.append(inspected(number, score=score, verdict=verdict, product="lid"))
    write(writer, events)
    with writing(engine) as connection:
        seen = update(inspection).values(picture=b"p" * 32, picture_state=2)
        connection.execute(seen.where(inspection.c.seq != 22))
        lost = update(inspection).where(inspection.c.seq == 22)
        connection.execute(lost.values(picture_state=3))
        add_kind(connection, "dent", "eva", "here")


def test_near_parts_come_first_the_nearest_before_all(engine: Engine, writer: Writer) -> None:
    fill(engine, writer)
    with reading(engine) as connection:
        items = queue(connection, Wanted(Query(), ("near",), limit=1000)).items
    distances = [abs((item.part.score or 0) / 0.5 - 1) for item in items]
    assert distances == sorted(distances)
    assert max(distances) <= 0.2
    assert {item.part.verdict for item in items} == {"OK", "NG"}


def test_ng_parts_leave_the_queue_with_their_label_and_come_back_without(
    engine: Engine, writer: Writer
) -> None:
    fill(engine, writer)
    wanted = Wanted(Query(product="lid"), ("ng",), limit=1000)
    with writing(engine) as connection:
        first = [item.part.key for item in queue(connection, wanted).items]
        assert first
        add_label(connection, first[0], Given("defect", "eva", "dent"), "here")
        assert [item.part.key for item in queue(connection, wanted).items] == first[1:]
        withdraw_label(connection, first[0], "eva", "here")
        assert [item.part.key for item in queue(connection, wanted).items] == first


def test_the_sample_follows_its_rule(engine: Engine, writer: Writer) -> None:
    fill(engine, writer)
    with reading(engine) as connection:
        items = queue(connection, Wanted(Query(), ("sample",), ok_one_in=5, limit=1000)).items
        rule = select(inspection.c.inspection_id).where(is_sampled(5), inspection.c.verdict == 0)
        sampled = set(connection.execute(rule).scalars())
    by_hand = {n for n in range(1, PARTS + 1) if n * 40_503 % 65_536 < 65_536 // 5}
    assert PARTS / 5 * 0.7 < len(by_hand) < PARTS / 5 * 1.3
    assert {item.part.inspection_id for item in items} == sampled - {22} <= by_hand


def test_a_part_stands_in_the_queue_once(engine: Engine, writer: Writer) -> None:
    fill(engine, writer)
    with reading(engine) as connection:
        keys = [item.part.key for item in queue(connection, Wanted(Query(), limit=1000)).items]
    assert len(keys) == len(set(keys))


def test_parts_without_a_picture_are_counted_not_shown(engine: Engine, writer: Writer) -> None:
    fill(engine, writer)
    with writing(engine) as connection:
        connection.execute(update(inspection).where(inspection.c.seq == 22).values(verdict=1))
        wanted = Wanted(Query(), limit=1000)
        assert "1-22" not in [item.part.key for item in queue(connection, wanted).items]
        assert queue(connection, wanted).without_picture == 1
        add_label(connection, "1-22", Given("unsure", "eva"), "here")
        assert queue(connection, wanted).without_picture == 0


def test_a_second_review_has_what_others_labelled_and_hides_it(
    engine: Engine, writer: Writer
) -> None:
    fill(engine, writer)
    wanted = Wanted(Query())
    with writing(engine) as connection:
        for key in ("1-1", "1-2", "1-3"):
            add_label(connection, key, Given("good", "eva"), "here")
        add_label(connection, "1-2", Given("unsure", "max"), "here")
        add_label(connection, "1-4", Given("good", "max"), "here")
        found = second_queue(connection, wanted, "max")
        assert [item.part.key for item in found] == ["1-3", "1-1"]
        assert {item.part.label for item in found} == {None}
        withdraw_label(connection, "1-2", "max", "here")
        again = [item.part.key for item in second_queue(connection, wanted, "max")]
        assert again == ["1-3", "1-2", "1-1"]


def test_opinions_are_the_last_labels_of_each_person(engine: Engine, writer: Writer) -> None:
    fill(engine, writer)
    with writing(engine) as connection:
        for key in ("1-1", "1-2", "1-3"):
            add_label(connection, key, Given("good", "eva"), "here")
        add_label(connection, "1-1", Given("unsure", "eva"), "here")
        add_label(connection, "1-1", Given("missed", "max"), "here")
        add_label(connection, "1-3", Given("missed", "max"), "here")
        withdraw_label(connection, "1-3", "max", "here")
        found = opinions(connection, Query(product="lid"))
        assert list(found) == ["1-1"]
        assert {who: one.label for who, one in found["1-1"].items()} == {
            "eva": "unsure", "max": "missed",
        }  # fmt: skip
        assert opinions(connection, Query(product="cup")) == {}


def test_a_queue_whose_time_is_over_says_how_far_it_looked(engine: Engine, writer: Writer) -> None:
    fill(engine, writer)
    late = inspected(PARTS + 1, captured_at=(BEGIN + timedelta(days=9)).isoformat())
    write(writer, [late])
    with reading(engine) as connection:
        whole = queue(connection, Wanted(Query(), limit=1000), budget_s=60)
        cut = queue(connection, Wanted(Query(), limit=1000), budget_s=-1)
    assert whole.reached is None
    assert whole.items
    assert cut.items == []
    assert cut.reached is not None
    assert BEGIN + timedelta(days=8) < cut.reached < BEGIN + timedelta(days=9)
