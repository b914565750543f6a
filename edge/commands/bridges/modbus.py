"""A Modbus TCP server that the PLC polls."""

import argparse
import asyncio
import logging
from contextlib import suppress

from edge.base.errors import SettingsError
from edge.bridge.feed import Feed
from edge.bridge.plc_commands import PlcCommand
from edge.commands.arguments import parse_address, parse_host, settings_of
from edge.commands.bridges.addresses import check_listen, in_address, is_here
from edge.commands.bridges.opened import opened_command, opened_feed
from edge.commands.bridges.options import add_common, add_handshake, handshake
from edge.commands.signals import stop_in_loop

log = logging.getLogger(__name__)

CHECK_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--listen", type=parse_address, default=("127.0.0.1", 1502), metavar="HOST:PORT",
        help="where the PLC connects (default 127.0.0.1:1502)")  # fmt: skip
    add("--plc", action="append", type=parse_host, default=[], metavar="ADDRESS", help="an "
        "address that may write; others only read (default: this machine alone)")  # fmt: skip
    add("--word-order", choices=["high-first", "low-first"], default="high-first",
        help="of values of 32 bits (default high-first)")  # fmt: skip
    add_handshake(parser)
    add_common(parser)


def main(options: argparse.Namespace) -> int:
    settings, (host, port) = settings_of(options), options.listen
    if not options.plc and not is_here(host):
        raise SettingsError(f"{host} can be reached by others: name the PLC with --plc ADDRESS")
    check_listen(host, port)
    with (
        opened_feed(options, settings, handshake(options), f"{host}-{port}") as feed,
        opened_command(options, settings, feed) as command,
    ):
        asyncio.run(_serve(feed, command, options))
    return 0


async def _serve(feed: Feed, command: PlcCommand, options: argparse.Namespace) -> None:
    from edge.bridge.protocols.modbus import serve

    stop, (host, port) = stop_in_loop(), options.listen
    plcs = options.plc or ["127.0.0.1", "::1"]
    server = await serve(feed, command, host, port, plcs, options.word_order)
    watching = asyncio.create_task(command.stall.watch())
    log.info("Modbus TCP on %s:%d", in_address(host), port)
    try:
        while not stop.is_set() and feed.died is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CHECK_S)
    finally:
        watching.cancel()
        await server.shutdown()
