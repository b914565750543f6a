"""Writes into a tag of a Rockwell Logix controller, and reads its answers."""

import argparse
import re

from edge.base.errors import SettingsError
from edge.bridge.protocols.logix_docs import l5x
from edge.commands.arguments import parse_address, settings_of, whole_number
from edge.commands.bridges.addresses import ipv4
from edge.commands.bridges.opened import exchange_memory
from edge.commands.bridges.options import add_common, add_handshake

TAG = re.compile(r"(Program:[A-Za-z_]\w*\.)?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
TAG_LENGTH = 60  # three times in a request, which must not be too long


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--controller", type=parse_address, metavar="HOST:PORT",
        help="the controller or its Ethernet module, its port is 44818 as a rule")  # fmt: skip
    add("--slot", type=whole_number(0, 31), default=0, metavar="N",
        help="of the processor in its chassis, default 0")  # fmt: skip
    add("--tag", type=_tag, default="draem", metavar="NAME",
        help="the array of DINT, perhaps Program:MainProgram.NAME (default draem)")  # fmt: skip
    add("--l5x", action="store_true",
        help="print the types of the array as a file to be imported, and end")  # fmt: skip
    add_handshake(parser)
    add_common(parser)


def _tag(text: str) -> str:
    if len(text) > TAG_LENGTH or not TAG.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"write a tag without an index, of up to {TAG_LENGTH} characters"
        )
    return text


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    if options.l5x:
        print(l5x())
        return 0
    if options.controller is None:
        raise SettingsError("no controller named: add --controller HOST:PORT, as 192.168.0.1:44818")
    from edge.bridge.protocols.ethernet_ip import Controller, Tag

    host, port = options.controller
    tag = Tag(Controller(ipv4(host, "the controller's"), port, options.slot, options.tag))
    exchange_memory(tag, options, settings, f"{host}-{options.tag.replace(':', '-')}")
    return 0
