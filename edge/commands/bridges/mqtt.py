"""Results, state and the gapless record to an MQTT broker; Sparkplug B."""

import argparse
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.base.errors import SettingsError
from edge.base.files import exclusive_lock
from edge.bridge.feed import BridgeError
from edge.commands.arguments import credentials, parse_server, settings_of
from edge.commands.bridges.addresses import in_address, is_here
from edge.commands.bridges.opened import opened_changes, opened_feed
from edge.commands.bridges.options import add_common, add_login, no_handshake, read_login
from edge.commands.bridges.sparkplug import (
    add_sparkplug,
    check_sparkplug,
    cursor_file,
    opened_sparkplug,
    served_sparkplug,
    slower,
)
from edge.commands.signals import stop_on_signal
from edge.events.event import Inspection
from edge.events.subscriber import Acknowledging, events
from edge.station.settings import Station

if TYPE_CHECKING:
    from edge.bridge.protocols.mqtt import Mqtt
    from edge.bridge.protocols.mqtt_session import Broker
    from edge.bridge.protocols.sparkplug import Sparkplug

log = logging.getLogger(__name__)

CHECK_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--broker", type=parse_server, default=("127.0.0.1", 1883), metavar="HOST:PORT",
        help="a name or an address, and a port (default 127.0.0.1:1883)")  # fmt: skip
    add("--ca", type=Path, metavar="FILE",
        help="the certificate (PEM) that the broker's is signed with: encrypts; needed for a "
        "broker on another machine")  # fmt: skip
    add("--client-cert", type=Path, metavar="FILE",
        help="our own certificate (PEM), for a broker that asks for one")  # fmt: skip
    add("--client-key", type=Path, metavar="FILE", help="its private key (PEM, without a password)")
    add("--topic-prefix", default="draem", metavar="PREFIX", help="topics are "
        "PREFIX/STATION/state and so on (default draem)")  # fmt: skip
    add_sparkplug(parser)
    add_login(parser, "whom the broker knows us as")
    add_common(parser)


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    broker = _broker(options)
    topic = _topic(options.topic_prefix, settings.station)
    check_sparkplug(options, settings.station)
    from edge.bridge.protocols.mqtt import Mqtt

    rules, address = no_handshake(options), f"{broker.host}-{broker.port}"
    numbers = {name: number for number, name in settings.recipes.items()}
    with (
        _only_one(settings),
        Mqtt(broker, topic, settings.station, numbers) as mqtt,
        opened_sparkplug(options, settings, broker, numbers) as sparkplug,
        stop_on_signal() as stop,
        opened_feed(options, settings, rules, address, _in_time(mqtt, sparkplug)) as feed,
        opened_changes(options, settings, feed) as changes,
        served_sparkplug(
            sparkplug, options, settings, feed, changes, stop.is_set
        ) as sparkplug_ended,
    ):
        watched = (feed, changes, stop.is_set)
        watcher = threading.Thread(target=mqtt.watch, args=watched, daemon=True)
        watcher.start()
        if changes.numbers:
            mqtt.take_commands(changes)
        log.info("MQTT to %s:%d", in_address(broker.host), broker.port)

        def ended() -> bool:
            return stop.is_set() or feed.died is not None or mqtt.is_taken or sparkplug_ended()

        try:
            if options.simulate is None:
                _record(mqtt, settings, ended, with_sparkplug=sparkplug is not None)
            while not ended():  # a simulated line has no record
                stop.wait(CHECK_S)
            mqtt.raise_if_taken()
        finally:
            stop.set()
            watcher.join()
    return 0


def _topic(prefix: str, station: str) -> str:
    """What all topics of the station begin with. Raises SettingsError."""
    if set("+#\0") & set(prefix) or not all(prefix.split("/")):
        raise SettingsError(f"--topic-prefix {prefix!r} cannot be a topic: write it as plant/draem")
    return f"{prefix}/{station}"


def _broker(options: argparse.Namespace) -> "Broker":
    from edge.bridge.protocols.mqtt_session import Broker

    host, port = options.broker
    if options.ca is None and not is_here(host):
        raise SettingsError(f"{host} is another machine: name its certificate with --ca FILE")
    if (options.client_cert is None) != (options.client_key is None):
        raise SettingsError("--client-cert and --client-key belong together: name both, or none")
    if options.client_cert is not None and options.ca is None:
        raise SettingsError("--client-cert is for an encrypted broker: add --ca FILE")
    for name in ("ca", "client_cert", "client_key"):
        path = getattr(options, name)
        if path is not None and not path.is_file():
            raise SettingsError(f"{path} does not exist: correct --{name.replace('_', '-')}")
    ours = (options.client_cert, options.client_key) if options.client_cert else None
    return Broker(host, port, options.ca, ours, read_login(options.login))


def _only_one(settings: Station) -> AbstractContextManager[None]:
    """Two bridges would end each other's session at the broker."""
    refusal = BridgeError(f"{settings.station} has an MQTT bridge already: stop that one")
    return exclusive_lock(settings.data / settings.station / "mqtt.lock", refusal)


def _record(
    mqtt: "Mqtt", settings: Station, stopped: Callable[[], bool], *, with_sparkplug: bool
) -> None:
    """Every event from the cursor on; the cursor moves when the broker has acknowledged."""
    file = settings.data / settings.station / "mqtt.cursor"
    processed = partial(slower, file, cursor_file(settings)) if with_sparkplug else None
    recorded = events(
        settings.endpoint, file, replay=settings.replay, credentials=credentials(settings),
        acknowledging=Acknowledging(f"mqtt-{settings.station}", "bridge", processed),
        stopped=stopped,
    )  # fmt: skip
    for event in recorded:
        if not mqtt.record(event, stopped):
            break  # not acknowledged: the cursor stays before it


def _in_time(mqtt: "Mqtt", sparkplug: "Sparkplug | None") -> Callable[[Inspection], None]:
    """Where a result goes that came in time."""

    def send(inspection: Inspection) -> None:
        mqtt.result(inspection)
        if sparkplug is not None:
            sparkplug.result(inspection)

    return send
