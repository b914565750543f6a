"""Writes into a data block of a Siemens PLC, and reads its answers."""

import argparse

from edge.base.errors import SettingsError
from edge.bridge.protocols.register_docs import scl
from edge.commands.arguments import parse_address, settings_of, whole_number
from edge.commands.bridges.addresses import ipv4
from edge.commands.bridges.opened import exchange_memory
from edge.commands.bridges.options import add_common, add_handshake


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
    from edge.bridge.protocols.s7 import Block, Plc

    host, port = options.s7
    plc = Plc(ipv4(host, "the PLC's"), port, options.rack, options.slot, options.block)
    exchange_memory(Block(plc), options, settings, f"{host}-db{options.block}")
    return 0
