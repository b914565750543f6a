"""Carry a station's verdicts into the plant's controller, fail-safe.

  draem bridge modbus    a Modbus TCP server that the PLC polls
  draem bridge opcua     an OPC UA server in the terms of OPC 40100-1
  draem bridge s7        writes into a data block of a Siemens PLC, and reads its answers
  draem bridge mqtt      results, state and the gapless record to a broker

docs/plc.md has the map, the topics and the handshake.

A part is good only where a valid result says OK for its id within its deadline. Whatever else
happens, the bridge has no valid result, says NG and tells why. This is no safety function
(ISO 13849).
"""

import argparse
import asyncio
import fcntl
import ipaddress
import logging
import signal
import threading
from functools import partial
from pathlib import Path
from typing import get_args

from edge.arguments import (
    add_settings,
    credentials,
    parse_address,
    parse_count,
    parse_host,
    parse_whole,
    settings_of,
)
from edge.bridge.feed import BridgeError, Feed, Source, station
from edge.bridge.gate import Gate, Mode, Rules
from edge.bridge.simulate import simulated
from edge.errors import SettingsError
from edge.notice import log_once
from edge.settings import Station
from edge.subscribe import Acknowledging, events

log = logging.getLogger(__name__)

CHECK_S = 0.2
WIRES = ("modbus", "opcua", "s7", "mqtt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wire", choices=WIRES, help="the PLC's protocol")
    parser.add_argument(
        "--deadline-ms", type=parse_count, default=1000, metavar="MS",
        help="a result older than this, counted from its trigger, is not offered (default 1000)",
    )  # fmt: skip
    parser.add_argument(
        "--simulate", type=_rate, metavar="RATE",
        help="parts a second of a line on paper, for commissioning without a camera: every tenth "
        "is NG, every 25th has no verdict (with mqtt no record)",
    )  # fmt: skip
    both = parser.add_argument_group("modbus and s7")
    both.add_argument(
        "--results", choices=get_args(Mode), default="free-running",
        help="free-running: the newest result; dequeue: each one until it is acknowledged "
        "(default free-running)",
    )  # fmt: skip
    both.add_argument(
        "--buffer", type=parse_count, default=8, metavar="N",
        help="results that may wait for their acknowledgement (default 8)",
    )  # fmt: skip
    both.add_argument(
        "--plc-silent-ms", type=parse_whole, default=1000, metavar="MS",
        help="a PLC whose heartbeat stands still so long is down; 0: it has none (default 1000)",
    )  # fmt: skip
    parser.add_argument(
        "--listen", type=parse_address, metavar="HOST:PORT",
        help="where the PLC connects, with modbus and opcua (default 127.0.0.1, port 1502 or 4840)",
    )  # fmt: skip
    modbus = parser.add_argument_group("modbus")
    modbus.add_argument(
        "--plc", action="append", type=parse_host, default=[], metavar="ADDRESS",
        help="an address that may write; others only read (default: this machine alone)",
    )  # fmt: skip
    modbus.add_argument(
        "--word-order", choices=["high-first", "low-first"], default="high-first",
        help="of values of 32 bits (default high-first)",
    )  # fmt: skip
    s7 = parser.add_argument_group("s7")
    s7.add_argument(
        "--s7", type=parse_address, metavar="HOST:PORT", help="the PLC, its port is 102 as a rule"
    )
    s7.add_argument("--rack", type=parse_whole, default=0, metavar="N", help="default 0")
    s7.add_argument("--slot", type=parse_whole, default=1, metavar="N", help="default 1")
    s7.add_argument("--block", type=parse_count, default=100, metavar="N", help="DB, default 100")
    s7.add_argument("--scl", action="store_true", help="print the block as an SCL type, and end")
    mqtt = parser.add_argument_group("mqtt")
    mqtt.add_argument(
        "--broker", type=parse_address, default=("127.0.0.1", 1883), metavar="HOST:PORT",
        help="an address and a port (default 127.0.0.1:1883)",
    )  # fmt: skip
    mqtt.add_argument(
        "--ca", type=Path, metavar="FILE",
        help="the certificate that the broker's is signed with: encrypts; needed for a broker "
        "on another machine",
    )  # fmt: skip
    parser.add_argument(
        "--login", type=Path, metavar="FILE",
        help="a file with user:password: for the broker, or of whom an OPC UA server lets in",
    )  # fmt: skip
    add_settings(parser, "station", "data", "endpoint", "replay", "key", "server_key")


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    wires = {"modbus": _serve_modbus, "opcua": _serve_opcua, "s7": _write_s7, "mqtt": _send_mqtt}
    return wires[options.wire](options, settings)


def _feed(options: argparse.Namespace, settings: Station) -> Feed:
    """For a PLC that acknowledges and has a heartbeat."""
    rules = Rules(
        options.results,
        options.deadline_ms / 1000,
        options.buffer,
        options.plc_silent_ms / 1000,
    )
    return Feed(Gate(rules), _source(options, settings))


def _source(options: argparse.Namespace, settings: Station) -> Source:
    """The station's events, or a line on paper."""
    if options.simulate is not None:
        log.warning("simulating %g parts a second: no camera, no station", options.simulate)
        return simulated(options.simulate)
    return station(settings.endpoint, settings.replay, credentials(settings))


def _serve_modbus(options: argparse.Namespace, settings: Station) -> int:
    host, port = options.listen or ("127.0.0.1", 1502)
    if not options.plc and not ipaddress.ip_address(host).is_loopback:
        raise SettingsError(f"{host} can be reached by others: name the PLC with --plc ADDRESS")
    with _feed(options, settings) as feed:
        return asyncio.run(_modbus(feed, host, port, options))


def _serve_opcua(options: argparse.Namespace, settings: Station) -> int:
    from edge.bridge import opcua

    host, port = options.listen or ("127.0.0.1", 4840)
    login = _login(options.login)
    if login is None and not ipaddress.ip_address(host).is_loopback:
        raise SettingsError(f"{host} can be reached by others: add --login FILE (user:password)")
    deadline_s = options.deadline_ms / 1000
    door = opcua.Door(host, port, login, settings.data / settings.station, deadline_s)
    gate = Gate(Rules("free-running", deadline_s, plc_silent_s=0))

    async def run() -> Feed:
        make = partial(Feed, gate, _source(options, settings))
        return await opcua.serve(make, door, _stop_in_loop())

    feed = asyncio.run(run())
    feed.raise_if_died()
    return 0


def _stop_in_loop() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM, in the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _write_s7(options: argparse.Namespace, settings: Station) -> int:
    from edge.bridge import s7

    if options.scl:
        print(s7.scl())
        return 0
    if options.s7 is None:
        raise SettingsError("no PLC named: add --s7 HOST:PORT, as 192.168.0.1:102")
    host, port = options.s7
    plc = s7.Plc(host, port, options.rack, options.slot, options.block)
    stop = _stop_on_signal()
    with _feed(options, settings) as feed:
        s7.run(feed, plc, lambda: stop.is_set() or feed.died is not None)
    feed.raise_if_died()
    return 0


def _stop_on_signal() -> threading.Event:
    """Set by Ctrl-C and SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _send_mqtt(options: argparse.Namespace, settings: Station) -> int:
    from edge.bridge.mqtt import Broker, Mqtt

    host, port = options.broker
    if options.ca is None and not ipaddress.ip_address(host).is_loopback:
        raise SettingsError(f"{host} is another machine: name its certificate with --ca FILE")
    user, password = _login(options.login) or (None, None)
    stop, shown = _stop_on_signal(), credentials(settings)
    if set("+#/\0") & set(settings.station):
        raise SettingsError(f"--station {settings.station} cannot be a topic: leave + # / out")
    folder = settings.data / settings.station
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "mqtt.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BridgeError(f"{settings.station} has an MQTT bridge already: stop that one") from None
    if options.ca is not None and not options.ca.is_file():
        raise SettingsError(f"{options.ca} does not exist: correct --ca")
    gate = Gate(Rules("free-running", options.deadline_ms / 1000, plc_silent_s=0))
    with (
        Mqtt(Broker(host, port, options.ca, user, password), settings.station) as mqtt,
        Feed(gate, _source(options, settings), mqtt.result) as feed,
    ):
        watcher = threading.Thread(target=mqtt.watch, args=(feed, stop.is_set), daemon=True)
        watcher.start()
        log.info("MQTT to %s:%d", host, port)
        recorded = events(
            settings.endpoint, folder / "mqtt.cursor", replay=settings.replay, credentials=shown,
            acknowledging=Acknowledging(f"mqtt-{settings.station}", "bridge"), notify=log_once(),
            stopped=lambda: stop.is_set() or feed.died is not None,
        )  # fmt: skip
        try:
            while options.simulate is not None and not stop.wait(CHECK_S):
                if feed.died is not None:
                    stop.set()
            for event in recorded:
                if not mqtt.record(event, stop.is_set):
                    break  # not acknowledged: the cursor stays before it
        finally:
            stop.set()
            watcher.join()
    feed.raise_if_died()
    return 0


def _login(path: Path | None) -> tuple[str, str] | None:
    """User and password; a file, so that neither is on a command line or in a log."""
    if path is None:
        return None
    user, colon, password = path.read_text(encoding="utf-8").strip().partition(":")
    if not colon:
        raise SettingsError(f"{path} has no login: write user:password into it")
    return user, password


async def _modbus(feed: Feed, host: str, port: int, options: argparse.Namespace) -> int:
    from edge.bridge.modbus import serve

    stop = _stop_in_loop()
    server = await serve(feed, host, port, options.plc or ["127.0.0.1", "::1"], options.word_order)
    log.info("Modbus TCP on %s:%d", host, port)
    while not stop.is_set() and feed.died is None:
        try:
            await asyncio.wait_for(stop.wait(), CHECK_S)
        except TimeoutError:
            continue
    await server.shutdown()
    feed.raise_if_died()
    return 0


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("parts a second, up to 1000")
    return value
