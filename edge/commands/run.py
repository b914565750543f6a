"""Judge the frames of a camera and publish an event for each over ZeroMQ.

Needs a product that was built and calibrated on this device. Ctrl-C or SIGTERM ends it cleanly;
a folder, a video and a line with a number of parts end by themselves.
"""

import argparse
import logging
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from threading import Event as StopEvent

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import SettingsError
from edge.camera.open import open_camera
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.software_trigger import SoftwareTriggers
from edge.commands.arguments import add_settings, product_name, settings_of
from edge.commands.run_all import run_all
from edge.engine import runtimes
from edge.events.client import service_endpoint
from edge.events.cursors import Cursors
from edge.events.event import Inspection
from edge.events.journal import BUSY_S, Journal, JournalError
from edge.events.keys import AccessList
from edge.events.publisher import LIVE_OPTIONS, Publisher
from edge.events.replay_server import replay
from edge.events.retention import Retention, RetentionLimits
from edge.events.sockets import Sockets
from edge.station.changeover import Changeover, load_proven
from edge.station.control import Controls, control
from edge.station.event_writer import EventWriter
from edge.station.image_store import ImageStore, KeepRules
from edge.station.last_product import load_remembered, remember
from edge.station.live_view import Live
from edge.station.loop import Pace, Show, run
from edge.station.settings import Station

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", help="the product's version (default: its current one)")
    parser.add_argument(
        "--all", action="store_true", help="start every station of stations/*.toml, a process each"
    )
    add_settings(
        parser,
        *(
            "product",
            "products",
            "flavour",
            "source",
            "mode",
            "backlog",
            "read_deadline_ms",
            "bit_depth",
        ),
        *("endpoint", "replay", "control", "live", "live_rate", "keys", "subscribers"),
        *("station", "data", "durability", "keep_days", "keep_mb", "cursor_days"),
        *("pictures_mb", "ok_one_in", "ring"),
    )


def main(options: argparse.Namespace) -> int:
    if options.all:
        return _run_all(options)
    settings = settings_of(options)
    triggered = settings.mode == "triggered"
    started_with = (product_name(settings), options.version)
    folder = settings.data / settings.station
    product = load_remembered(folder, settings.products, started_with)
    stop = StopEvent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    died = stop_when_a_thread_dies(stop)
    with ExitStack() as opened:
        engine = runtimes.load(product, settings.flavour)
        controls = Controls(product)
        changeover = Changeover(
            engine,
            lambda name, version, stopped: load_proven(
                settings.products, name, version, settings.flavour, stopped, controls.frame
            ),
            lambda name, version: remember(folder, started_with, (name, version)),
        )
        controls.changeover = opened.enter_context(changeover)
        camera = opened.enter_context(
            open_camera(
                settings.source,
                triggered=triggered,
                bit_depth=settings.bit_depth,
                deadline_ms=settings.read_deadline_ms,
            )
        )
        if isinstance(camera, ReconnectingCamera) and camera.takes_triggers:
            controls.triggers = opened.enter_context(SoftwareTriggers(camera))
        log.info("%s version %s", product.name, product.version)
        stream, publisher, show = open_station(settings, controls, opened)
        if product.calibration is None:
            mend = f"draem calibrate --product {product.name} --version {product.version}"
            log.warning("no threshold yet, so every frame is NO_VERDICT: run '%s'", mend)
        publisher.wait_for_subscribers(settings.subscribers, stop)
        pace = Pace(triggered, settings.read_deadline_ms, settings.backlog)
        verdicts = run(camera, engine, product, stream, stop, pace, controls, show)
        if stream.unlogged:
            raise JournalError(
                f"{stream.unlogged} events are not in the log: free space on the disk"
            )
    log.info("ended: %s", ", ".join(f"{v} {n}" for v, n in sorted(verdicts.items())) or "no frame")
    if died:
        raise died[0]
    return 0


def _run_all(options: argparse.Namespace) -> int:
    """Refuses what would be silently lost: each station has its settings in its own file."""
    for name, value in vars(options).items():
        if name != "all" and value is not None:
            option = name.replace("_", "-")
            raise SettingsError(f"--{option} is of one station: write it into its file in stations")
    return run_all()


def open_station(
    settings: Station, controls: Controls, opened: ExitStack
) -> tuple[EventWriter, Publisher, Show]:
    """The log, the sockets and the pictures of one station; `opened` closes them."""
    folder: Path = settings.data / settings.station
    enter = opened.enter_context
    journal = enter(Journal(folder, settings.durability))
    limits = RetentionLimits(settings.keep_days, settings.keep_mb, settings.cursor_days)
    retention = Retention(journal, enter(Cursors(folder, BUSY_S)), limits)
    sockets = enter(Sockets(AccessList(settings.keys) if settings.keys else None))
    publisher = enter(Publisher(sockets, settings.endpoint))
    at = settings.endpoint
    answering = enter(replay(sockets, settings.replay or service_endpoint(at, "replay"), folder))
    enter(control(sockets, settings.control or service_endpoint(at, "control"), controls))
    log.info("publishing on %s, answering on %s", publisher.endpoint, answering.endpoint)
    lossy = enter(
        Publisher(sockets, settings.live or service_endpoint(at, "live"), "--live", LIVE_OPTIONS)
    )
    live = enter(Live(lossy, settings.live_rate))
    keep = KeepRules(settings.pictures_mb, settings.ok_one_in, settings.ring)
    pictures = enter(ImageStore(folder, keep))

    def show(
        told: Inspection, image: NDArray[np.uint8], heatmap: NDArray[np.float32] | None
    ) -> None:
        pictures.offer(told, image)
        live.offer(told, image, heatmap)
        controls.pictures_dropped = pictures.dropped

    return EventWriter(settings.station, journal, publisher, retention), publisher, show


def stop_when_a_thread_dies(stop: StopEvent) -> list[BaseException]:
    """Half a station is none: the line ends, and whoever supervises it starts it again."""
    died: list[BaseException] = []

    def ended(about: threading.ExceptHookArgs) -> None:
        name = about.thread.name if about.thread else "a thread"
        log.critical("the thread %s has died: the line ends", name, exc_info=about.exc_value)
        died.append(about.exc_value or RuntimeError(f"{name} died"))
        stop.set()

    threading.excepthook = ended
    return died
