"""An OPC UA server in the terms of OPC 40100-1."""

import argparse
import asyncio
from pathlib import Path
from queue import SimpleQueue

from edge.base.errors import SettingsError
from edge.bridge.feed import Feed
from edge.bridge.plc_trigger import PlcTrigger
from edge.bridge.product_change import ProductChanges
from edge.commands.arguments import parse_address, settings_of
from edge.commands.bridges.shared import (
    add_common,
    add_login,
    check_listen,
    is_here,
    no_handshake,
    opened_changes,
    opened_feed,
    opened_triggering,
    read_login,
    stop_in_loop,
)
from edge.events.event import Inspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--listen", type=parse_address, default=("127.0.0.1", 4840), metavar="HOST:PORT",
        help="where clients connect (default 127.0.0.1:4840)")  # fmt: skip
    add_login(parser, "who comes in by name, and encrypted")
    add("--clients", type=Path, metavar="FOLDER", help="certificates (*.der, *.pem) of "
        "those who come in by their key, and encrypted")  # fmt: skip
    add_common(parser)


def main(options: argparse.Namespace) -> int:
    settings, (host, port) = settings_of(options), options.listen
    if options.login is None and options.clients is None and not is_here(host):
        raise SettingsError(
            f"{host} can be reached by others: add --login FILE (user:password) or --clients FOLDER"
        )
    check_listen(host, port)
    from edge.bridge.protocols import opcua
    from edge.bridge.protocols.opcua_security import OpcuaSecurity, read_clients

    login, clients = read_login(options.login), read_clients(options.clients)
    security = OpcuaSecurity(host, port, login, clients, settings.data / settings.station)
    rules = no_handshake(options)
    results: SimpleQueue[Inspection] = SimpleQueue()

    async def run(feed: Feed, changes: ProductChanges, triggering: PlcTrigger) -> None:
        stop = stop_in_loop()
        await opcua.serve(feed, changes, triggering, results, rules.deadline_s, security, stop)

    with (
        opened_feed(options, settings, rules, f"{host}-{port}", results.put) as feed,
        opened_changes(options, settings, feed) as changes,
        opened_triggering(options, settings) as triggering,
    ):
        asyncio.run(run(feed, changes, triggering))
    return 0
