"""Carry a station's verdicts into the plant's controller, fail-safe.

  draem bridge modbus    a Modbus TCP server that the PLC polls (docs/plc.md has the map)

A part is good only where a valid result says OK for its id within its deadline. Whatever else
happens, the bridge has no valid result, says NG and tells why. This is no safety function
(ISO 13849).
"""

import argparse
import asyncio
import ipaddress
import logging
import signal
from typing import get_args

from edge.arguments import add_settings, credentials, settings_of
from edge.bridge.feed import Feed
from edge.bridge.gate import Gate, Mode, Rules
from edge.errors import SettingsError

log = logging.getLogger(__name__)

CHECK_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wire", choices=["modbus"], help="the PLC's protocol")
    parser.add_argument(
        "--results", choices=get_args(Mode), default="free-running",
        help="free-running: the newest result; dequeue: each one until it is acknowledged "
        "(default free-running)",
    )  # fmt: skip
    parser.add_argument(
        "--deadline-ms", type=_positive, default=1000, metavar="MS",
        help="a result older than this, counted from its trigger, is not offered (default 1000)",
    )  # fmt: skip
    parser.add_argument(
        "--buffer", type=_positive, default=8, metavar="N",
        help="results that may wait for their acknowledgement (default 8)",
    )  # fmt: skip
    parser.add_argument(
        "--plc-silent-ms", type=_whole, default=1000, metavar="MS",
        help="a PLC whose heartbeat stands still so long is down; 0: it has none (default 1000)",
    )  # fmt: skip
    parser.add_argument(
        "--listen", type=_address, default=("127.0.0.1", 1502), metavar="HOST:PORT",
        help="where the PLC connects (default 127.0.0.1:1502)",
    )  # fmt: skip
    parser.add_argument(
        "--plc", action="append", default=[], metavar="ADDRESS",
        help="an address that may write; others only read (default: this machine alone)",
    )  # fmt: skip
    parser.add_argument(
        "--word-order", choices=["high-first", "low-first"], default="high-first",
        help="of values of 32 bits (default high-first)",
    )  # fmt: skip
    add_settings(parser, "endpoint", "replay", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    host, _ = options.listen
    if not options.plc and not ipaddress.ip_address(host).is_loopback:
        raise SettingsError(f"{host} can be reached by others: name the PLC with --plc ADDRESS")
    rules = Rules(
        options.results,
        options.deadline_ms / 1000,
        options.buffer,
        options.plc_silent_ms / 1000,
    )
    shown = credentials(settings)
    with Feed(Gate(rules), settings.endpoint, settings.replay, shown) as feed:
        return asyncio.run(_modbus(feed, options))


async def _modbus(feed: Feed, options: argparse.Namespace) -> int:
    from edge.bridge.modbus import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    host, port = options.listen
    server = await serve(feed, host, port, options.plc or ["127.0.0.1", "::1"], options.word_order)
    log.info("Modbus TCP on %s:%d", host, port)
    while not stop.is_set() and feed.died is None:
        try:
            await asyncio.wait_for(stop.wait(), CHECK_S)
        except TimeoutError:
            continue
    await server.shutdown()
    if feed.died is not None:
        raise feed.died
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            "write an address and a port, as 192.168.0.5:502"
        ) from None
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError("write an address and a port, as 192.168.0.5:502")
    return host.strip("[]"), int(port)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number from 0 on")
    return int(text)


def _positive(text: str) -> int:
    if _whole(text) < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on")
    return int(text)
