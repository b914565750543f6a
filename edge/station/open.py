"""Opens what a station needs, runs the loop, and closes everything again."""

import gc
import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from threading import Event as StopEvent

import numpy as np
from numpy.typing import NDArray

from edge.base.metrics import served_metrics
from edge.camera import Camera
from edge.camera.open import open_camera
from edge.camera.software_trigger import SoftwareTriggers
from edge.engine import Engine, runtimes
from edge.events.access_list import AccessList
from edge.events.client import service_endpoint
from edge.events.cursors import Cursors
from edge.events.event import Inspection
from edge.events.journal import BUSY_S, Journal, JournalError, locked
from edge.events.publisher import LIVE_OPTIONS, Publisher
from edge.events.replay_server import serve_replay
from edge.events.retention import Retention, RetentionLimits
from edge.events.sockets import Sockets
from edge.product.product import Product
from edge.station.active_product import load_verified
from edge.station.change_report import ChangeReporter
from edge.station.changeover import Changeover
from edge.station.control import Controls, control
from edge.station.event_writer import EventWriter
from edge.station.image_store import ImageStore, KeepRules
from edge.station.last_product import Wanted, load_remembered, naming_the_way_back, remember
from edge.station.live_view import Heat, LiveView
from edge.station.loop import Pace, Show, run
from edge.station.settings import Station

log = logging.getLogger(__name__)


def run_station(settings: Station, started_with: Wanted, stop: StopEvent) -> Counter[str]:
    """Inspect until `stop` or the last frame; the number of each verdict.

    `started_with` is the product of the settings; the one of the last changeover goes before it.
    Raises DraemError, and the error of any thread that dies.
    """
    folder = settings.data / settings.station
    with locked(folder):
        pass  # before it touches the product, the engine and the camera of a line that runs
    product = load_remembered(folder, settings.products, started_with)
    died = stop_when_a_thread_dies(stop)
    triggered = settings.mode == "triggered"
    with ExitStack() as opened:
        controls = Controls(product)
        with naming_the_way_back(folder, started_with):
            engine = runtimes.load(product, settings.flavour)
        controls.changeover = _changeover(settings, started_with, controls, engine)
        opened.enter_context(controls.changeover)
        camera = opened.enter_context(_camera(settings))
        if triggers := SoftwareTriggers.of(camera):
            controls.triggers = opened.enter_context(triggers)
        log.info("%s version %s", product.name, product.version)
        writer, publisher, show = open_station(settings, product, controls, opened)
        if product.calibration is None:
            fix = f"draem calibrate --product {product.name} --version {product.version}"
            log.warning("no threshold yet, so every frame is NO_VERDICT: run '%s'", fix)
        publisher.wait_for_subscribers(settings.subscribers, stop)
        pace = Pace(triggered, settings.read_deadline_ms, settings.backlog)
        gc.freeze()  # what is here now stays: searching it again took 26 ms of the loop
        verdicts = run(camera, engine, writer, stop, pace, controls, show)
        if writer.unlogged:
            raise JournalError(
                f"{writer.unlogged} events are not in the log: free space on the disk"
            )
    if died:
        raise died[0]
    return verdicts


def _camera(settings: Station) -> Camera:
    return open_camera(
        settings.source,
        triggered=settings.mode == "triggered",
        bit_depth=settings.bit_depth,
        deadline_ms=settings.read_deadline_ms,
    )


def _changeover(
    settings: Station, started_with: Wanted, controls: Controls, engine: Engine
) -> Changeover:
    folder = settings.data / settings.station
    return Changeover(
        engine,
        lambda name, version, stopped: load_verified(
            settings.products, name, version, settings.flavour, stopped, controls.frame
        ),
        lambda name, version: remember(folder, started_with, (name, version)),
    )


def open_station(
    settings: Station, product: Product, controls: Controls, opened: ExitStack
) -> tuple[EventWriter, Publisher, Show]:
    """Open the log, the sockets and the picture stores of a station; `opened` closes them."""
    folder, enter = settings.data / settings.station, opened.enter_context
    controls.station = settings.station
    journal = enter(Journal(folder, settings.durability))
    limits = RetentionLimits(settings.keep_days, settings.keep_mb, settings.cursor_days)
    retention = Retention(journal, enter(Cursors(folder, BUSY_S)), limits)
    sockets = enter(Sockets(AccessList(settings.keys) if settings.keys else None))
    at = settings.endpoint
    publisher = enter(Publisher(sockets, at))
    replaying = enter(
        serve_replay(sockets, settings.replay or service_endpoint(at, "replay"), folder)
    )
    enter(control(sockets, settings.control or service_endpoint(at, "control"), controls))
    log.info("publishing on %s, answering on %s", publisher.endpoint, replaying.endpoint)
    lossy = enter(
        Publisher(sockets, settings.live or service_endpoint(at, "live"), "--live", LIVE_OPTIONS)
    )
    enter(ChangeReporter(settings.products, folder, controls))
    live = enter(LiveView(lossy, settings.live_rate))
    rules = KeepRules(settings.pictures_mb, settings.ok_one_in, settings.ring)
    images = enter(ImageStore(folder, rules))
    observe = _metrics(settings, controls, opened)

    def show(header: Inspection, image: NDArray[np.uint8], heat: Heat) -> None:
        images.offer(header, image)
        if header.stream_id:  # else it has no number yet, and a viewer would take it for another
            live.offer(header, image, heat)
        controls.pictures_dropped = images.dropped
        observe(header)

    writer = EventWriter(settings.station, product, journal, publisher, retention)
    return writer, publisher, show


def _metrics(
    settings: Station, controls: Controls, opened: ExitStack
) -> Callable[[Inspection], None]:
    """Serve metrics until `opened` is closed; what counts an inspection in them."""
    if settings.metrics is None:
        return lambda header: None
    from edge.station.metrics import StationMetrics

    metrics = StationMetrics(settings.station, controls, settings.data / settings.station)
    opened.enter_context(served_metrics(settings.metrics, metrics))
    return metrics.observe


def stop_when_a_thread_dies(stop: StopEvent) -> list[BaseException]:
    """Stop the line when any thread dies, so that its supervisor restarts it; the errors."""
    died: list[BaseException] = []

    def ended(about: threading.ExceptHookArgs) -> None:
        name = about.thread.name if about.thread else "a thread"
        log.critical("the thread %s has died: the line ends", name, exc_info=about.exc_value)
        died.append(about.exc_value or RuntimeError(f"{name} died"))
        stop.set()

    threading.excepthook = ended
    return died
