"""Judge the frames of a camera and publish an event for each over ZeroMQ.

Needs a product that was built and calibrated on this device. Ctrl-C or SIGTERM ends it cleanly;
a folder, a video and a simulated line with a number of parts end by themselves.
"""

import argparse
import logging

from edge.base.errors import SettingsError
from edge.commands.arguments import add_settings, product_name, settings_of
from edge.commands.run_all import run_all
from edge.commands.signals import stop_on_signal
from edge.station.open import run_station

log = logging.getLogger(__name__)

SETTINGS = (
    *("product", "products", "flavour", "source", "mode", "backlog", "read_deadline_ms"),
    *("bit_depth", "endpoint", "replay", "control", "live", "live_rate", "keys", "subscribers"),
    *("station", "data", "durability", "keep_days", "keep_mb", "cursor_days"),
    *("pictures_mb", "ok_one_in", "ring", "metrics"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", help="the product's version (default: its current one)")
    parser.add_argument(
        "--all", action="store_true", help="start every station of stations/*.toml, a process each"
    )
    add_settings(parser, *SETTINGS)


def main(options: argparse.Namespace) -> int:
    if options.all:
        return _run_all(options)
    settings = settings_of(options)
    with stop_on_signal() as stop:
        verdicts = run_station(settings, (product_name(settings), options.version), stop)
    log.info("ended: %s", ", ".join(f"{v} {n}" for v, n in sorted(verdicts.items())) or "no frame")
    return 0


def _run_all(options: argparse.Namespace) -> int:
    """Refuses options that would have no effect: each station has its settings in its own file."""
    for name, value in vars(options).items():
        if name != "all" and value is not None:
            option = name.replace("_", "-")
            raise SettingsError(
                f"--{option} cannot be given with --all: write it into each station's file"
            )
    return run_all()
