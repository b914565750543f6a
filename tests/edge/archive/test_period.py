"""What happened in a period; how scores move; what has arrived after a position."""

from datetime import timedelta

from sqlalchemy import Engine

from edge.archive.around import names
from edge.archive.database import reading
from edge.archive.follow import arrived, logs, product_before
from edge.archive.period import faults, states, worst
from edge.archive.query import Query
from edge.archive.score_drift import score_levels
from edge.archive.statistics import Shifts
from edge.archive.writer import Writer
from tests.support.archived import BEGIN, inspected, reported, running, write

LATER = BEGIN + timedelta(days=1)


def test_period_has_faults_states_and_the_worst_parts(engine: Engine, writer: Writer) -> None:
    bad = [inspected(n, verdict="NG", score=0.5 + n / 100, threshold=0.5) for n in (3, 4, 5)]
    write(writer, [running(1, "lid"), inspected(2), *bad, reported(6), running(7, "case")])
    with reading(engine) as connection:
        assert [f.code for f in faults(connection, BEGIN, LATER, 9)] == ["camera_lost"]
        assert faults(connection, BEGIN, BEGIN + timedelta(seconds=6), 9) == []
        assert [s.product for s in states(connection, BEGIN, LATER, 9)] == ["lid", "case"]
        assert [p.inspection_id for p in worst(connection, Query(), 2)] == [5, 4]
        assert list(names(connection).versions) == ["case", "lid"]


def test_score_levels_are_quartiles_of_the_part_of_the_threshold(
    engine: Engine, writer: Writer
) -> None:
    scores = [0.05, 0.1, 0.2, 0.4]
    write(writer, [inspected(n, score=s, threshold=0.5) for n, s in enumerate(scores, 1)])
    with reading(engine) as connection:
        [level] = score_levels(connection, Query(), "day", Shifts())
    assert level.parts == 4
    for found, score in zip((level.lower, level.median, level.upper), scores, strict=False):
        assert 1 / 1.2 < found / (score / 0.5) < 1.2  # four bins to a factor of two


def test_arrived_events_come_in_the_order_of_their_log(engine: Engine, writer: Writer) -> None:
    events = [running(1, "lid"), inspected(2, verdict="NG"), reported(3), running(4, "case")]
    write(writer, events)
    with reading(engine) as connection:
        [log] = logs(connection)
        found = arrived(connection, log, 1, 9)
        assert [(a.seq, a.kind, a.verdict) for a in found] == [
            (2, "inspection", "NG"), (3, "fault", ""), (4, "status", ""),
        ]  # fmt: skip
        assert found[1].message == "plug it in"
        assert arrived(connection, log, 1, 2) == found[:1]
        assert product_before(connection, log, 4) == ("lid", "1")
        assert product_before(connection, log, 1) is None
