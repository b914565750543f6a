"""The loop without sockets: a sink that records its events, and cameras that tests write."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.base.closeable import Closeable
from edge.camera import EndOfStream
from edge.events.encoding import decode_live
from edge.events.event import AnyHeader, Event, Fault, Heartbeat, Inspection
from edge.events.journal import Journal
from edge.product.product import Product
from edge.station.event_writer import EventWriter
from edge.vision.frame import Frame
from edge.vision.image_files import Image
from tests.support.minimal_station import FakeCamera


class RecordedEvents(Closeable):
    """An event sink that keeps headers of events, and heartbeats."""

    def __init__(self) -> None:
        self.headers: list[AnyHeader] = []
        self.heartbeats: list[Heartbeat] = []
        self._opened = ExitStack()

    def send(self, parts: list[bytes]) -> None:
        message = decode_live(parts)
        if isinstance(message, Event):
            self.headers.append(message.header)
        else:
            self.heartbeats.append(message)

    def writer(self, product: Product) -> EventWriter:
        """A writer to this sink, with a new log."""
        folder = Path(self._opened.enter_context(TemporaryDirectory()))
        return EventWriter("s", product, self._opened.enter_context(Journal(folder)), self)

    def close(self) -> None:
        self._opened.close()

    @property
    def inspections(self) -> list[Inspection]:
        return [header for header in self.headers if isinstance(header, Inspection)]

    @property
    def faults(self) -> list[Fault]:
        return [header for header in self.headers if isinstance(header, Fault)]


class ImageCamera(FakeCamera):
    """A camera that gives these pictures one by one."""

    live = False

    def __init__(self, images: list[Image]) -> None:
        self._images = enumerate(images, start=1)

    def read(self) -> Frame:
        number, image = next(self._images, (0, None))
        if image is None:
            raise EndOfStream("no more")
        return Frame(image, number, 0)


class StepCamera(FakeCamera):
    """A camera whose next read is what `step` returns or raises for its number."""

    live = True

    def __init__(self, step: Callable[[int], Frame]) -> None:
        self._step = step
        self.reads = 0

    def read(self) -> Frame:
        self.reads += 1
        return self._step(self.reads)
