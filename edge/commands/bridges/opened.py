"""What a bridge runs with: the gate that is fed with events, and what a PLC asks of the line."""

import argparse
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from edge.base.metrics import served_metrics
from edge.base.person import Person
from edge.bridge.feed import Feed, Source, station
from edge.bridge.gate import Gate, Rules
from edge.bridge.line_pause import LinePause
from edge.bridge.line_requests import LineClient
from edge.bridge.missed_results import MissedFile
from edge.bridge.plc_commands import PlcCommand
from edge.bridge.plc_trigger import ANSWER_MS, PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.simulated_line import simulated
from edge.commands.arguments import ask_control, credentials
from edge.commands.bridges.options import handshake
from edge.commands.signals import stop_on_signal
from edge.events.event import Inspection
from edge.station.settings import Station

if TYPE_CHECKING:
    from edge.bridge.protocols.plc_memory import PlcMemory

log = logging.getLogger(__name__)


@contextmanager
def opened_feed(
    options: argparse.Namespace,
    settings: Station,
    rules: Rules,
    address: str,
    in_time: Callable[[Inspection], None] = lambda inspection: None,
    left_out: Callable[[Inspection], None] = lambda inspection: None,
) -> Iterator[Feed]:
    """A gate that is fed, and the file of what it misses; raises what ended the feed, if anything.

    `address` distinguishes this bridge from the others of the station. Where the station is named,
    the events must be its own: the default of --endpoint is that of a machine's first station.
    """
    suffix = "" if options.simulate is None else "-simulated"
    folder = settings.data / f"{settings.station}{suffix}"
    named = options.simulate is None and "station" in settings.model_fields_set
    name = settings.station if named else None
    with (
        MissedFile(folder / f"missed-{options.wire}-{address}.jsonl") as missed,
        Feed(Gate(rules), source(options, settings), in_time, missed.add, name, left_out) as feed,
        _metrics(options, feed, missed),
    ):
        yield feed
    feed.raise_if_died()


def _metrics(
    options: argparse.Namespace, feed: Feed, missed: MissedFile
) -> AbstractContextManager[None]:
    if options.bridge_metrics is None:
        return nullcontext()
    from edge.bridge.metrics import BridgeMetrics  # an extra

    return served_metrics(options.bridge_metrics, BridgeMetrics(feed, missed))


def source(options: argparse.Namespace, settings: Station) -> Source:
    """The station's events, or those of a simulated line."""
    if options.simulate is not None:
        rate = options.simulate.rate
        log.warning("simulating %g parts a second: no camera, no station", rate)
        return simulated(options.simulate)
    return station(settings.endpoint, settings.replay, credentials(settings))


def opened_changes(options: argparse.Namespace, settings: Station, feed: Feed) -> ProductChanges:
    """Changes the line's product. Raises DraemError for an address that cannot be used."""
    line: LineClient = options.simulate or ask_control(settings)
    by = Person(f"bridge {options.wire}")
    return ProductChanges(settings.recipes, line, feed.running, by=by)


def opened_triggering(options: argparse.Namespace, settings: Station) -> PlcTrigger:
    """Passes triggers to the line. Raises DraemError for an address that cannot be used."""
    return PlcTrigger(options.simulate or ask_control(settings, ANSWER_MS))


def opened_pausing(options: argparse.Namespace, settings: Station) -> LinePause:
    """Pauses and resumes the line. Raises DraemError for an address that cannot be used."""
    return LinePause(options.simulate or ask_control(settings), Person(f"bridge {options.wire}"))


@contextmanager
def opened_command(
    options: argparse.Namespace, settings: Station, feed: Feed
) -> Iterator[PlcCommand]:
    """Commands and triggers of a PLC that writes them into registers."""
    with (
        opened_changes(options, settings, feed) as changes,
        opened_triggering(options, settings) as triggering,
    ):
        yield PlcCommand(changes, triggering)


def exchange_memory(
    memory: "PlcMemory", options: argparse.Namespace, settings: Station, address: str
) -> None:
    """Run the bridge of a protocol that writes into a PLC's memory, until a signal."""
    from edge.bridge.protocols.plc_memory import run

    due = threading.Event()
    with (
        stop_on_signal() as stop,
        opened_feed(options, settings, handshake(options), address, lambda _: due.set()) as feed,
        opened_command(options, settings, feed) as command,
    ):
        run(memory, feed, command, lambda: stop.is_set() or feed.died is not None, due)
