"""The options that several bridges have."""

import argparse
from pathlib import Path
from typing import get_args

from edge.base.errors import SettingsError
from edge.base.files import read_text
from edge.bridge.gate import Mode, Rules
from edge.bridge.simulated_line import SimulatedLine
from edge.commands.arguments import add_station, parse_count, parse_recipe, parse_whole


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


def handshake(options: argparse.Namespace) -> Rules:
    """What `add_handshake` has read."""
    silent_s = options.plc_silent_ms / 1000
    return Rules(options.results, options.deadline_ms / 1000, options.buffer, silent_s)


def no_handshake(options: argparse.Namespace) -> Rules:
    """For a protocol that sends each result once, without acknowledgement."""
    return Rules("free-running", options.deadline_ms / 1000, plc_silent_s=0)


def _rate(text: str) -> SimulatedLine:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0.001 <= value <= 1000:
        raise argparse.ArgumentTypeError("write 0.001 to 1000 parts a second")
    return SimulatedLine(value)


def add_login(parser: argparse.ArgumentParser, whose: str) -> None:
    """A file, so that neither name nor password is on a command line or in a log."""
    parser.add_argument(
        "--login", type=Path, metavar="FILE", help=f"a file with user:password: {whose}"
    )


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
