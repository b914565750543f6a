"""What all bridges have in common: options, the feed, how they end."""

import argparse
import asyncio
import errno
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from edge.base.errors import SettingsError
from edge.base.files import read_text
from edge.base.metrics import served_metrics
from edge.base.person import Person
from edge.bridge.feed import Feed, Source, station
from edge.bridge.gate import Gate, Mode, Rules
from edge.bridge.line_pause import LinePause
from edge.bridge.line_requests import LineClient
from edge.bridge.missed_results import MissedFile
from edge.bridge.plc_commands import PlcCommand
from edge.bridge.plc_trigger import ANSWER_MS, PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.bridge.simulated_line import SimulatedLine, simulated
from edge.commands.arguments import (
    add_station,
    ask_control,
    credentials,
    parse_count,
    parse_recipe,
    parse_whole,
)
from edge.events.event import Inspection
from edge.station.settings import Station

if TYPE_CHECKING:
    from edge.bridge.protocols.plc_memory import PlcMemory

log = logging.getLogger(__name__)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options of every protocol over which a PLC sends commands."""
    add_results(parser)
    parser.add_argument("--recipe", dest="recipes", action="append", type=parse_recipe,
        metavar="NUMBER=NAME", help="the number by which the PLC names a product, and may change "
        "to it; again for each (default: the table [recipes] of station.toml)")  # fmt: skip
    add_station(parser, "data", "endpoint", "replay", "control", "key", "server_key")


def add_results(parser: argparse.ArgumentParser) -> None:
    """Options of every protocol, except those of the station."""
    add = parser.add_argument
    add("--deadline-ms", type=parse_count, default=1000, metavar="MS", help="a result older "
        "than this, counted from its trigger, is not offered (default 1000)")  # fmt: skip
    add("--simulate", type=_rate, metavar="RATE",
        help="parts a second of a simulated line, for commissioning without a camera: every "
        "tenth is NG, every 25th has no verdict")  # fmt: skip
    add("--metrics", dest="bridge_metrics", metavar="[HOST:]PORT", help="serve metrics for "
        "Prometheus (default off; without a host, on loopback)")  # fmt: skip


def add_handshake(parser: argparse.ArgumentParser) -> None:
    """Options of protocols whose PLC acknowledges and has a heartbeat."""
    add = parser.add_argument
    add("--results", choices=get_args(Mode), default="free-running",
        help="free-running: the newest result; dequeue: each one until it is acknowledged "
        "(default free-running)")  # fmt: skip
    add("--buffer", type=parse_count, default=8, metavar="N", help="results that may wait "
        "for their acknowledgement, with dequeue (default 8)")  # fmt: skip
    add("--plc-silent-ms", type=parse_whole, default=1000, metavar="MS", help="a PLC whose "
        "heartbeat stands still so long is down; 0: it has none (default 1000)")  # fmt: skip


def add_login(parser: argparse.ArgumentParser, whose: str) -> None:
    """A file, so that neither name nor password is on a command line or in a log."""
    parser.add_argument(
        "--login", type=Path, metavar="FILE", help=f"a file with user:password: {whose}"
    )


def handshake(options: argparse.Namespace) -> Rules:
    """What `add_handshake` has read."""
    silent_s = options.plc_silent_ms / 1000
    return Rules(options.results, options.deadline_ms / 1000, options.buffer, silent_s)


def no_handshake(options: argparse.Namespace) -> Rules:
    """For a protocol that sends each result once, without acknowledgement."""
    return Rules("free-running", options.deadline_ms / 1000, plc_silent_s=0)


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


def is_here(host: str) -> bool:
    """Whether an address, or localhost, is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_listen(host: str, port: int) -> None:
    """Raise SettingsError where a server cannot listen there: the protocols' libraries hide why."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reasons = {
        errno.EADDRINUSE: "another program (perhaps a bridge) has it: stop that one",
        errno.EADDRNOTAVAIL: "no network card of this machine has this address: correct it",
        errno.EACCES: "a port below 1024 needs root's rights: permit them",
    }
    try:
        socket.create_server(socket.getaddrinfo(host, port)[0][4], family=family).close()
    except OSError as error:
        why = reasons.get(error.errno or 0, f"{error.strerror}: correct it")
        raise SettingsError(
            f"cannot listen on {in_address(host)}:{port}, {why}, or choose another --listen"
        ) from error


def in_address(host: str) -> str:
    """A host before a colon and a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


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


def ipv4(host: str, what: str) -> str:
    """Raises SettingsError for an IPv6 address, which `what` has none of."""
    if ":" in host:
        raise SettingsError(f"{host} is an IPv6 address, and {what} IPv4 address is needed")
    return host


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Set by Ctrl-C, SIGTERM and a closed terminal, until the end of the block."""
    stop = threading.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as 'nohup' sets it
        numbers.append(signal.SIGHUP)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def stop_in_loop() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM, in the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def read_login(path: Path | None) -> tuple[str, str] | None:
    """User and password. Raises SettingsError where the file has none."""
    if path is None:
        return None
    if not path.exists():  # its name is not shown: it may be the login itself
        raise SettingsError("--login names no file: write user:password into a file, and name that")
    user, colon, password = (text := read_text(path, SettingsError).strip()).partition(":")
    if not colon or not user or len(text.splitlines()) > 1:
        raise SettingsError(f"{path} has no login: write user:password into it, in one line")
    return user, password


def _rate(text: str) -> SimulatedLine:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0.001 <= value <= 1000:
        raise argparse.ArgumentTypeError("write 0.001 to 1000 parts a second")
    return SimulatedLine(value)
