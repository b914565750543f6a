"""Sparkplug B beside the plain topics of `draem bridge mqtt`: options and threads."""

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge.base.errors import SettingsError
from edge.bridge.feed import Feed
from edge.bridge.product_change import ProductChanges
from edge.commands.arguments import credentials
from edge.events.cursor_file import Cursor, read_cursor
from edge.events.subscriber import events
from edge.station.settings import Station

if TYPE_CHECKING:
    from edge.bridge.protocols.mqtt_session import Broker
    from edge.bridge.protocols.sparkplug import Sparkplug


def add_sparkplug(parser: argparse.ArgumentParser) -> None:
    """Options of an edge node."""
    add = parser.add_argument
    add("--sparkplug", metavar="GROUP[/NODE]", help="publish as Sparkplug B too: the group and "
        "this bridge's edge node (default draem-STATION); the station is its device")  # fmt: skip
    add("--sparkplug-host", metavar="HOST_ID", help="the primary host: while it is offline, "
        "results wait for it (default: none, nothing waits)")  # fmt: skip


@contextmanager
def opened_sparkplug(
    options: argparse.Namespace, settings: Station, broker: "Broker", numbers: Mapping[str, int]
) -> Iterator["Sparkplug | None"]:
    """A session of its own, since a session has one will; None without --sparkplug."""
    if options.sparkplug is None:
        yield None
        return
    from edge.bridge.protocols.sparkplug import Sparkplug
    from edge.bridge.protocols.sparkplug_name import DeathNumbers, Names
    from edge.bridge.protocols.sparkplug_node import Node

    group, node = _group_and_node(options.sparkplug, settings.station)
    names = Names(group, node, settings.station, options.sparkplug_host)
    deaths = DeathNumbers(settings.data / settings.station / "sparkplug.bdseq")
    with Sparkplug(
        Node(broker, names, deaths, with_commands=bool(numbers)), settings.station, numbers
    ) as made:
        yield made


def cursor_file(settings: Station) -> Path:
    """Up to which event the results are with the broker."""
    return settings.data / settings.station / "sparkplug.cursor"


def slower(first: Path, second: Path) -> Cursor:
    """The cursor of two that has processed less; none of its stream, where one has yet to begin."""
    one, other = read_cursor(first), read_cursor(second)
    if one is None:
        return Cursor("", 0)
    if other is None or other.stream_id != one.stream_id:
        return Cursor(one.stream_id, 0)
    return min(one, other, key=lambda cursor: cursor.seq)


def check_sparkplug(options: argparse.Namespace, station: str) -> None:
    """Raises SettingsError for names that cannot be."""
    if options.sparkplug is not None:
        _group_and_node(options.sparkplug, station)
    if options.sparkplug_host is None:
        return
    if options.sparkplug is None:
        raise SettingsError("--sparkplug-host belongs to --sparkplug GROUP: add that")
    if not options.sparkplug_host or set("+#/\0") & set(options.sparkplug_host):
        raise SettingsError(f"--sparkplug-host {options.sparkplug_host!r} cannot be a host's id")


def _group_and_node(text: str, station: str) -> tuple[str, str]:
    parts = text.split("/") if "/" in text else [text, f"draem-{station}"]
    if len(parts) != 2 or not all(parts) or set("+#\0") & set(text):
        raise SettingsError(
            f"--sparkplug {text!r} cannot be a name: write it as plant or plant/node"
        )
    return parts[0], parts[1]


@contextmanager
def served_sparkplug(
    sparkplug: "Sparkplug | None",
    options: argparse.Namespace,
    settings: Station,
    feed: Feed,
    changes: ProductChanges,
    stopped: Callable[[], bool],
) -> Iterator[Callable[[], bool]]:
    """Runs until `stopped`; gives whether it has ended by itself. Raises what has ended it."""
    if sparkplug is None:
        yield lambda: False
        return
    deadline_s, left = options.deadline_ms / 1000, threading.Event()

    def over() -> bool:
        return left.is_set() or stopped()

    with ThreadPoolExecutor(2, "sparkplug") as pool:
        ends: list[Future[None]] = [pool.submit(sparkplug.watch, feed, changes, over)]
        if options.simulate is None:  # a simulated line has no log
            ends.append(pool.submit(_record, sparkplug, settings, feed, deadline_s, over))
        try:
            yield lambda: any(end.done() for end in ends)
        finally:
            left.set()
    for end in ends:
        end.result()


def _record(
    sparkplug: "Sparkplug",
    settings: Station,
    feed: Feed,
    deadline_s: float,
    stopped: Callable[[], bool],
) -> None:
    """Every result of the log from the cursor on; it moves when the broker has read the result."""
    # The subscription of the plain topics acknowledges for both: a key may move one cursor alone.
    recorded = events(
        settings.endpoint, cursor_file(settings), replay=settings.replay,
        credentials=credentials(settings), stopped=stopped,
    )  # fmt: skip
    for event in recorded:
        if not sparkplug.record(event, feed.age_s, deadline_s, stopped):
            break  # the broker may not have it: the cursor stays before it
