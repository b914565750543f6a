"""Show the events of a running line: a live table in a terminal, a line each elsewhere."""

import argparse
import logging
from collections import Counter, deque
from contextlib import nullcontext
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from edge.base.text import on_one_line
from edge.commands.arguments import add_station, credentials, expected_station, settings_of
from edge.commands.signals import stop_on_signal
from edge.commands.stations import refuse_another
from edge.events.event import AnyHeader, Inspection
from edge.events.subscriber import events

log = logging.getLogger(__name__)

ROWS = 15
ISO = "times in ISO 8601 and UTC, as in the log (default: local time)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print each header as one JSON object")
    parser.add_argument("--rejects", action="store_true", help="show only what is not OK")
    parser.add_argument(
        "--until-stopped", action="store_true", help="end when the line has stopped"
    )
    parser.add_argument("--iso", action="store_true", help=ISO)
    add_station(parser, "endpoint", "replay", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    console = Console()
    live = console.is_terminal and not options.json
    recent: deque[AnyHeader] = deque(maxlen=ROWS)
    verdicts: Counter[str] = Counter()
    station = ""
    with (
        stop_on_signal() as stop,
        Live(console=console, refresh_per_second=8) if live else nullcontext() as view,
    ):
        for event in events(
            settings.endpoint,
            replay=settings.replay,
            credentials=credentials(settings),
            stopped=stop.is_set,
        ):
            header = event.header
            if not station:
                station = header.station
                refuse_another(expected_station(options, settings), station, settings.endpoint)
                log.info("%s", about(header))
            if isinstance(header, Inspection):
                verdicts[header.verdict] += 1
            shown = not options.rejects or getattr(header, "verdict", None) != "OK"
            if shown:
                recent.append(header)
            if view is not None:
                view.update(Group(_table(recent, options.iso), _count(verdicts)))
            elif shown:
                print(
                    header.model_dump_json() if options.json else line(header, options.iso),
                    flush=True,
                )
            if options.until_stopped and header.kind == "status" and header.state == "stopped":
                break
    return 0


def about(header: AnyHeader) -> str:
    """The station of an event, and the product where the event has one."""
    if header.kind == "fault":
        return f"station {header.station}"
    return f"station {header.station}, {header.product} version {header.version}"


def local_time(published_at: str, iso: bool = False) -> str:
    """A time of an event as this machine's date and time with its zone, or as it is."""
    try:
        at = datetime.fromisoformat(published_at)
    except ValueError:
        return published_at
    return published_at if iso else at.astimezone().isoformat(" ", "milliseconds")


def line(header: AnyHeader, iso: bool = False) -> str:
    """One event as one line of text."""
    number, time, name, verdict, score, detail = _cells(header, iso)
    shown = f"{number:>8}  {time}  {name:<12} {verdict:<10} {score:>6}  {detail}"
    return on_one_line(shown)


def _cells(header: AnyHeader, iso: bool) -> tuple[str, str, str, str, str, str]:
    time = local_time(header.published_at, iso)
    if isinstance(header, Inspection):
        score = "-" if header.score is None else f"{header.score:.3f}"
        part = header.trigger_id if header.trigger_id is not None else header.frame_id
        return str(header.inspection_id), time, f"part {part}", header.verdict, score, _why(header)
    if header.kind == "fault":
        return "", time, "fault", header.code.name, "", header.message
    return "", time, "status", header.state, "", f"{header.product} version {header.version}"


def _why(header: Inspection) -> str:
    """The reason for the verdict: code, largest region, skipped frames."""
    reasons = [] if header.code.number == 0 else [header.code.name]
    if header.regions and header.verdict == "NG":
        x, y, width, height = header.regions[0].box
        others = f" and {len(header.regions) - 1} more" if len(header.regions) > 1 else ""
        reasons.append(f"{width}x{height} at {x},{y}{others}")
    if header.passed_over:
        reasons.append(f"{header.passed_over} frames skipped")
    return ", ".join(reasons)


COLOURS = {"OK": "green", "NG": "red", "NO_VERDICT": "yellow"}


def _table(recent: deque[AnyHeader], iso: bool = False) -> Table:
    title = about(recent[-1]) if recent else None
    columns = ("id", "time", "what", "verdict", "score", "detail")
    table = Table(*columns, title=title, expand=True)
    for header in recent:
        cells = _cells(header, iso)
        table.add_row(*map(escape, cells), style=COLOURS.get(cells[3], "cyan"))
    return table


def _count(verdicts: Counter[str]) -> str:
    return "   ".join(f"{name} {verdicts[name]}" for name in COLOURS) + "   (Ctrl-C ends)"
