"""Judge the frames of a camera and publish an event for each over ZeroMQ.

Needs a product that was built and calibrated on this device. Ctrl-C or SIGTERM ends it cleanly;
a folder, a video and a line with a number of parts end by themselves.
"""

import argparse
import logging
import signal
from threading import Event as StopEvent

from edge.arguments import add_settings, product_name, settings_of
from edge.camera.open import open_camera
from edge.engine import openvino
from edge.journal import Journal
from edge.loop import Pace, run
from edge.product import load_product
from edge.publish import Publisher
from edge.replay import Replay
from edge.stream import Stream
from edge.subscribe import beside

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", help="the product's version (default: its current one)")
    add_settings(
        parser,
        *("product", "products", "source", "mode", "backlog", "endpoint", "replay", "subscribers"),
        *("station", "data", "durability", "read_deadline_ms", "bit_depth"),
    )


def main(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    triggered = settings.mode == "triggered"
    product = load_product(settings.products, product_name(settings), options.version)
    folder = settings.data / settings.station
    stop = StopEvent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with (
        openvino.load(product) as engine,
        open_camera(settings.source, triggered=triggered, bit_depth=settings.bit_depth) as camera,
        Journal(folder, settings.durability) as journal,
        Publisher(settings.endpoint) as publisher,
        Replay(settings.replay or beside(settings.endpoint), folder) as replay,
    ):
        log.info(
            "%s version %s: publishing on %s, answering on %s",
            *(product.name, product.version, publisher.endpoint, replay.endpoint),
        )
        if product.calibration is None:
            mend = f"draem calibrate --product {product.name}"
            log.warning("no threshold yet, so every frame is NO_VERDICT: run '%s'", mend)
        publisher.wait_for_subscribers(settings.subscribers, stop)
        pace = Pace(triggered, settings.read_deadline_ms, settings.backlog)
        stream = Stream(settings.station, journal, publisher)
        verdicts = run(camera, engine, product, stream, stop, pace)
    log.info("ended: %s", ", ".join(f"{v} {n}" for v, n in sorted(verdicts.items())) or "no frame")
    return 0
