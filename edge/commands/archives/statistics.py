"""Counts, rates and first-pass yield by period, station, product or version.

--pareto counts codes, labels, kinds or places of defects; --scores shows scores as parts of their
threshold; --chart is a p-chart of the NG rate with the Western Electric rules that each period
breaks. Shifts begin at --shift early=06:00, again for each (default: early 6, late 14, night 22).
"""

import argparse
import json
from dataclasses import asdict
from datetime import time
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.archive.archive import Archive
from edge.archive.control_chart import p_chart
from edge.archive.query import Query, parse_query
from edge.archive.statistics import By, Of, Shifts
from edge.commands.archives.shared import add_archive, add_query, opened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_query(parser)
    add = parser.add_argument
    add("--by", action="append", choices=get_args(By), help="one group for each; again for both")
    add("--pareto", choices=get_args(Of), help="the most frequent ones")
    add("--scores", action="store_true", help="parts by score / threshold")
    add("--chart", action="store_true", help="p-chart of the NG rate by --by (default hour)")
    add("--json", action="store_true", help="one JSON object for each line")
    add_shifts(parser)
    add_archive(parser)


def add_shifts(parser: argparse.ArgumentParser) -> None:
    """The plant's shifts and time zone."""
    add = parser.add_argument
    add("--shift", dest="shifts", action="append", type=parse_shift, metavar="NAME=HH:MM",
        help="a shift and when it begins, at a quarter of an hour")  # fmt: skip
    add("--zone", type=parse_zone, help="the plant's time zone, as Europe/Berlin (default: local)")


def shifts_of(options: argparse.Namespace) -> Shifts:
    """The shifts that the options say."""
    if options.shifts:
        return Shifts(dict(options.shifts), options.zone)
    return Shifts(zone=options.zone)


def parse_shift(text: str) -> tuple[str, time]:
    """early=06:00."""
    name, _, at = text.partition("=")
    try:
        begin = time.fromisoformat(at)
    except ValueError:
        begin = time(0, 1)
    if not name or begin.minute % 15 or begin.second:
        raise argparse.ArgumentTypeError("write a name and a quarter of an hour, as early=06:00")
    return name, begin


def parse_zone(text: str) -> ZoneInfo:
    """A name of the time zone database."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError):
        raise argparse.ArgumentTypeError("write a name such as Europe/Berlin") from None


def main(options: argparse.Namespace) -> int:
    query = parse_query(options.query)
    with opened(options) as archive:
        for row in rows(archive, query, options):
            print(json.dumps(row) if options.json else "  ".join(_cell(v) for v in row.values()))
    return 0


def rows(archive: Archive, query: Query, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What the options ask for, a dictionary for each line."""
    if options.pareto:
        found = archive.pareto(query, options.pareto)
        return [{options.pareto: name, "count": count} for name, count in found]
    if options.scores:
        return [{"from": part, "parts": count} for part, count in archive.score_distribution(query)]
    by = options.by or (["hour"] if options.chart else [])
    counted = archive.counts(query, by, shifts_of(options))
    if not options.chart:
        return [
            asdict(c) | {"ng_rate": c.ng_rate, "first_pass_yield": c.first_pass_yield}
            for c in counted
        ]
    mean, points = p_chart([(c.ok + c.ng, c.ng) for c in counted])
    return [
        {"group": c.group, "mean": mean} | asdict(point)
        for c, point in zip(counted, points, strict=True)
    ]


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
