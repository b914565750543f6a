"""Drives digital outputs of this machine, without a PLC."""

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.base.errors import SettingsError
from edge.bridge.gate import Rules
from edge.bridge.pass_queue import PassQueue, Way
from edge.commands.arguments import add_station, parse_count, settings_of, whole_number
from edge.commands.bridges.opened import opened_feed
from edge.commands.bridges.options import add_results, no_handshake
from edge.commands.signals import stop_on_signal

if TYPE_CHECKING:
    from edge.bridge.protocols.gpio_lines import Line, Pins, Wiring
    from edge.bridge.protocols.gpio_positions import Positions

log = logging.getLogger(__name__)

OUTPUTS = {
    "reject": "active unless an OK part is at the gate; undriven is active",
    "ok": "the opposite of --reject; undriven is inactive",
    "ready": "active while parts can be judged and all outputs follow",
    "heartbeat": "changes every 100 ms while the bridge runs and its outputs follow",
}
EVENTS = "events"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--chip", default="/dev/gpiochip0", metavar="DEVICE",
        help="the GPIO chip of all lines (default /dev/gpiochip0)")  # fmt: skip
    for name, text in OUTPUTS.items():
        add(f"--{name}", metavar="LINE", help=f"output: {text}. A number or a name, as 17 or "
            "17,active-high,open-drain")  # fmt: skip
    for name in OUTPUTS:
        add(f"--{name}-feedback", metavar="LINE", help=f"input that is wired to where --{name} "
            "leads, and must say the same")  # fmt: skip
    add("--encoder", metavar="LINE", help=f"input whose edges count the way, or '{EVENTS}': the "
        "counts in the events; without it the way is counted in milliseconds")  # fmt: skip
    add("--delay", type=parse_count, metavar="N", help="from a part's picture to the gate, in "
        "milliseconds, or counts with --encoder")  # fmt: skip
    add("--pulse", type=parse_count, metavar="N", help="how long the gate is open for an OK part, "
        "in the same unit: shorter than the shortest way between two parts")  # fmt: skip
    add("--pulse-min", type=parse_count, metavar="N", help="a pulse that a bad neighbour or a "
        "busy computer makes shorter than this opens nothing (default: half of it)")  # fmt: skip
    add("--pulse-max-ms", type=parse_count, metavar="MS", help="with --encoder: a pulse ends "
        "after this time though the encoder stands still")  # fmt: skip
    add("--settle-ms", type=whole_number(1, 90), default=20, metavar="MS", help="so long an output "
        "and its feedback may differ after a change (default 20)")  # fmt: skip
    add("--test", action="store_true", help="switch each output for a second, compare what is "
        "read back, and end: during this time parts pass")  # fmt: skip
    add_results(parser)
    add_station(parser, "data", "endpoint", "replay", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings, wiring = settings_of(options), _wiring(options)
    from edge.bridge.protocols.gpio import Outputs, priority, try_outputs
    from edge.bridge.protocols.gpio_lines import Pins

    settle_s = options.settle_ms / 1000
    if options.test:
        with stop_on_signal() as stop, Pins(wiring) as pins:
            try_outputs(pins, settle_s, stop)
        return 0
    way = _way(options)
    address = options.chip.rpartition("/")[2]
    with stop_on_signal() as stop, Pins(wiring) as pins:
        outputs = Outputs(pins, PassQueue(way), _positions(options, pins), settle_s)
        outputs.check_start()
        taken = (outputs.in_time, outputs.left_out)
        with priority(), opened_feed(options, settings, _rules(options), address, *taken) as feed:
            log.info("gpio: driving %s of %s", ", ".join(wiring.outputs), options.chip)
            outputs.run(feed, lambda: stop.is_set() or feed.died is not None)
    return 0


def _way(options: argparse.Namespace) -> Way:
    if options.delay is None or options.pulse is None:
        raise SettingsError("where the gate is is not known: add --delay N and --pulse N")
    shortest = options.pulse / 2 if options.pulse_min is None else options.pulse_min
    if shortest > options.pulse:
        raise SettingsError("--pulse-min is longer than --pulse: lower it")
    if options.encoder is None and options.pulse_max_ms is not None:
        raise SettingsError("--pulse-max-ms is for an encoder: add --encoder, or remove it")
    if options.encoder is not None and options.pulse_max_ms is None:
        raise SettingsError("an encoder can fail while the gate is open: add --pulse-max-ms MS")
    longest_s = float("inf") if options.encoder is None else options.pulse_max_ms / 1000
    return Way(options.delay, options.pulse, shortest, longest_s)


def _rules(options: argparse.Namespace) -> Rules:
    """By time, a verdict that comes after its part is at the gate has no use."""
    rules = no_handshake(options)
    if options.encoder is not None:
        return rules
    return replace(rules, deadline_s=min(rules.deadline_s, options.delay / 1000))


def _positions(options: argparse.Namespace, pins: "Pins") -> "Positions":
    from edge.bridge.protocols.gpio_positions import ByEvents, ByLine, ByTime

    if options.encoder is None:
        return ByTime()
    return ByEvents(options.pulse_max_ms / 1000) if options.encoder == EVENTS else ByLine(pins)


def _wiring(options: argparse.Namespace) -> "Wiring":
    """Raises SettingsError."""
    from edge.bridge.protocols.gpio_lines import Wiring, parse_line

    outputs: Any = _lines(options, parse_line, "")
    feedback: Any = _lines(options, parse_line, "_feedback")
    if not {"reject", "ok"} & set(outputs):
        raise SettingsError("no line for the gate named: add --reject LINE or --ok LINE")
    if unknown := set(feedback) - set(outputs):
        name = min(unknown)
        raise SettingsError(f"--{name}-feedback without an output: add --{name} LINE")
    counted = options.encoder not in (None, EVENTS)
    encoder = _line("--encoder", options.encoder, parse_line) if counted else None
    return Wiring(options.chip, outputs, feedback, encoder)


def _lines(
    options: argparse.Namespace, parse: "Callable[[str], Line]", suffix: str
) -> "dict[str, Line]":
    given = {name: getattr(options, f"{name}{suffix}") for name in OUTPUTS}
    option = suffix.replace("_", "-")
    return {name: _line(f"--{name}{option}", text, parse) for name, text in given.items() if text}


def _line(option: str, text: str, parse: "Callable[[str], Line]") -> "Line":
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{option} {text}: {error}") from None
