"""How long the questions of a page take on an archive of many inspections, and its size per row.

Fills an empty database with made-up inspections (a month, 2 % NG, 1 % without a verdict, two
products of three versions), then asks each question COUNT times with other values.

  python -m tests.measure.archive_questions --rows 10000000 --database archive.db
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text

from edge.archive.database import open_database, reading, writing
from edge.archive.query import Query
from edge.archive.search import find
from edge.archive.statistics import counts, pareto, score_distribution

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
MONTH_S = 30 * 86400
CHUNK = 500_000
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT {a} UNION ALL SELECT i + 1 FROM n WHERE i < {b}) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series({a}::bigint, {b})) ",
}
# Whole numbers alone, so that both databases agree: `i * prime % 1000` is as good as random. A
# station judges one version for a day.
VERDICT = "CASE WHEN i * 7919 % 1000 < 20 THEN 1 WHEN i * 7919 % 1000 < 30 THEN 2 ELSE 0 END"
VERSION = "(i * 30 / {count} + i % 10) % 6"
SELECTED = f"""
SELECT 1 + i % 10, i, {{begin}} + i * {{step}}, {{begin}} + i * {{step}}, 1 + {VERSION} % 2,
  1 + {VERSION}, i, i, i,
  i * 100, 'P' || i, {VERDICT}, CASE WHEN {VERDICT} = 2 THEN 100 + i % 7 ELSE 0 END,
  (i * 104729 % 1000) / 1000.0, 0.5, NULL, 0, CASE WHEN {VERDICT} = 1 THEN 1 ELSE 0 END,
  '{{{{"stages_ms":{{{{"wait":0.8,"fit":0.6,"infer":7.1,"judge":0.9,"encode":0.4}}}}}}}}',
  NULL, NULL, 0 FROM n"""
REGIONS = """
INSERT INTO region SELECT stream, seq, 0, at, product, seq % 600, seq % 400, 20, 30, 400, 0.9,
  NULL, NULL, NULL, NULL, NULL FROM inspection WHERE verdict <> 0 AND verdict = 1"""
TALLIES = """
INSERT INTO tally SELECT at / 900000000 * 900000000, stream, version, verdict, code, 0, count(*), 0
  FROM inspection GROUP BY 1, 2, 3, 4, 5"""
SCORES = """
INSERT INTO score_tally SELECT at / 3600000000 * 3600000000, stream, version, seq % 14 - 10,
  count(*) FROM inspection GROUP BY 1, 2, 3, 4"""


def fill(engine: Engine, count: int) -> None:
    """Write `count` inspections with their regions and tallies."""
    for number in range(1, 11):
        _execute(engine, f"INSERT INTO stream VALUES ({number}, 's{number}', 0, 'line-{number}', "
                 f"'tcp://10.0.0.{number}:5570', 1)")  # fmt: skip
    for number, name in ((1, "lid"), (2, "cup")):
        _execute(engine, f"INSERT INTO product VALUES ({number}, '{name}')")
    for number in range(1, 7):
        _execute(
            engine, f"INSERT INTO version VALUES ({number}, {1 + (number - 1) % 2}, '{number}')"
        )
    numbers = NUMBERS[engine.dialect.name]
    begin, step = int(BEGIN.timestamp() * 1e6), MONTH_S * 1_000_000 // count
    for first in range(1, count + 1, CHUNK):
        last = min(count, first + CHUNK - 1)
        chosen = SELECTED.format(begin=begin, step=step, count=count)
        if engine.dialect.name == "sqlite":
            insert = numbers.format(a=first, b=last) + "INSERT INTO inspection " + chosen
        else:
            insert = "INSERT INTO inspection " + numbers.format(a=first, b=last) + chosen
        _execute(engine, insert)
        print(f"\r{last} rows", end="", file=sys.stderr)
    for statement in (REGIONS, TALLIES, SCORES, "ANALYZE"):
        _execute(engine, statement)
    print(file=sys.stderr)


def _execute(engine: Engine, statement: str) -> None:
    with writing(engine) as connection:
        connection.execute(text(statement.replace(":", r"\:")))


def questions(random_: random.Random) -> dict[str, Callable[[Connection], object]]:
    """The questions of a page, each with other values at every call."""
    day = BEGIN + timedelta(days=random_.randrange(2, 22))
    name = random_.choice(["lid", "cup"])
    number = random_.randrange(1000, 1_000_000)
    month = Query(since=BEGIN, until=BEGIN + timedelta(days=30))
    week = Query(since=day, until=day + timedelta(days=7), product=name)
    return {
        "last 50 NG of a product": lambda c: find(c, Query(product=name, verdict="NG"), 50, None),
        "50 NG of a product before a day": lambda c: find(
            c, Query(product=name, verdict="NG", until=day), 50, None
        ),
        "newest 50": lambda c: find(c, Query(), 50, None),
        "a part by its id": lambda c: find(c, Query(part=f"P{number}"), 50, None),
        "defects at a place in a week": lambda c: find(
            c, week.model_copy(update={"verdict": "NG", "box": (100, 100, 50, 50)}), 50, None
        ),
        "counts by hour of a month": lambda c: counts(c, month, ["hour"]),
        "counts by shift and product of a month": lambda c: counts(c, month, ["shift", "product"]),
        "Pareto of codes of a week": lambda c: pareto(c, week, "code"),
        "Pareto of places of a week": lambda c: pareto(c, week, "place"),
        "score distribution of a week": lambda c: score_distribution(c, week),
    }


def measure(engine: Engine, repeats: int) -> None:
    """Print median and 95th percentile of each question in milliseconds."""
    random_ = random.Random(1)
    times: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, ask in questions(random_).items():
            with reading(engine) as connection:
                begin = time.perf_counter()
                ask(connection)
                times.setdefault(name, []).append((time.perf_counter() - begin) * 1000)
    for name, values in times.items():
        p95 = statistics.quantiles(values, n=20, method="inclusive")[-1]
        print(f"{name:<42} median {statistics.median(values):8.1f} ms   p95 {p95:8.1f} ms")


def size(engine: Engine) -> int:
    """Bytes of the database."""
    query = "SELECT pg_database_size(current_database())"
    if engine.dialect.name == "sqlite":
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    with reading(engine) as connection:
        return int(connection.execute(text(query)).scalar_one())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--database", required=True)
    options = parser.parse_args()
    engine = open_database(options.database, create=True)
    with reading(engine) as connection:
        found = connection.execute(text("SELECT count(*) FROM stream")).scalar()
    if not found:
        begin = time.perf_counter()
        fill(engine, options.rows)
        print(f"filled in {time.perf_counter() - begin:.0f} s")
    with reading(engine) as connection:
        rows = connection.execute(text("SELECT count(*) FROM inspection")).scalar_one()
    print(f"{engine.dialect.name}: {rows} inspections, {size(engine) / rows:.0f} bytes each")
    measure(engine, options.repeats)
    engine.dispose()


if __name__ == "__main__":
    main()
