"""Writes into a data block of a Siemens PLC, and reads its answers."""

import argparse
import threading

from edge.base.errors import SettingsError
from edge.bridge.protocols.register_docs import scl
from edge.commands.arguments import parse_address, settings_of, whole_number
from edge.commands.bridges.shared import (
    add_common,
    add_handshake,
    handshake,
    opened_command,
    opened_feed,
    stop_on_signal,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--s7", type=parse_address, metavar="HOST:PORT", help="the PLC, its port is 102 as a rule")
    add("--rack", type=whole_number(0, 7), default=0, metavar="N", help="default 0")
    add("--slot", type=whole_number(0, 31), default=1, metavar="N", help="default 1")
    add("--block", type=whole_number(1, 65535), default=100, metavar="N", help="DB, default 100")
    add("--scl", action="store_true",
        help="print the block as an SCL source (type and data block), and end")  # fmt: skip
    add_handshake(parser)
    add_common(parser)


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.scl:
        print(scl())
        return 0
    if options.s7 is None:
        raise SettingsError("no PLC named: add --s7 HOST:PORT, as 192.168.0.1:102")
    from edge.bridge.protocols.plc_memory import run
    from edge.bridge.protocols.s7 import Block, Plc

    host, port = options.s7
    if ":" in host:
        raise SettingsError(f"{host} is an IPv6 address, and S7 needs the PLC's IPv4 address")
    block = Block(Plc(host, port, options.rack, options.slot, options.block))
    rules, address, due = handshake(options), f"{host}-db{options.block}", threading.Event()
    with (
        stop_on_signal() as stop,
        opened_feed(options, settings, rules, address, lambda _: due.set()) as feed,
        opened_command(options, settings, feed) as command,
    ):
        run(block, feed, command, lambda: stop.is_set() or feed.died is not None, due)
    return 0
