"""An OPC UA server of OPC 40100-1 (machine vision)."""

import argparse
import asyncio
from pathlib import Path
from queue import SimpleQueue

from edge.base.errors import SettingsError
from edge.commands.arguments import parse_address, settings_of
from edge.commands.bridges.addresses import check_listen, is_here
from edge.commands.bridges.opened import (
    opened_changes,
    opened_feed,
    opened_pausing,
    opened_triggering,
)
from edge.commands.bridges.options import add_common, add_login, no_handshake, read_login
from edge.commands.signals import stop_in_loop
from edge.events.event import Inspection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--listen", type=parse_address, default=("127.0.0.1", 4840), metavar="HOST:PORT",
        help="where clients connect (default 127.0.0.1:4840)")  # fmt: skip
    add_login(parser, "who comes in by name, and encrypted")
    add("--clients", type=Path, metavar="FOLDER", help="certificates (*.der, *.pem) of "
        "those who come in by their key, and encrypted")  # fmt: skip
    add("--single-jobs", action="store_true", help="each picture is taken by a StartSingleJob, "
        "of a camera with a software trigger")  # fmt: skip
    add("--nodeset", type=Path, metavar="FILE", help="another copy of "
        "Opc.Ua.MachineVision.NodeSet2.xml than the installed one")  # fmt: skip
    add_common(parser)


def main(options: argparse.Namespace) -> int:
    settings, (host, port) = settings_of(options), options.listen
    if options.login is None and options.clients is None and not is_here(host):
        raise SettingsError(
            f"{host} can be reached by others: add --login FILE (user:password) or --clients FOLDER"
        )
    check_listen(host, port)
    from edge.bridge.protocols import opcua
    from edge.bridge.protocols.opcua_line import LineParts
    from edge.bridge.protocols.opcua_nodeset import read_nodeset
    from edge.bridge.protocols.opcua_security import OpcuaSecurity, read_clients

    login, clients = read_login(options.login), read_clients(options.clients)
    security = OpcuaSecurity(host, port, login, clients, settings.data / settings.station)
    rules, nodeset = no_handshake(options), read_nodeset(options.nodeset)
    results: SimpleQueue[Inspection] = SimpleQueue()

    async def run(parts: LineParts) -> None:
        await opcua.serve(parts, results, security, nodeset, stop_in_loop())

    with (
        opened_feed(options, settings, rules, f"{host}-{port}", results.put) as feed,
        opened_changes(options, settings, feed) as changes,
        opened_triggering(options, settings) as triggering,
        opened_pausing(options, settings) as pausing,
    ):
        deadline_s, single_jobs = rules.deadline_s, options.single_jobs
        asyncio.run(run(LineParts(feed, changes, triggering, pausing, deadline_s, single_jobs)))
    return 0
