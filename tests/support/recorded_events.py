"""The loop without sockets: a sink that records its events, and cameras that tests write."""

from collections.abc import Callable

from edge.base.closeable import Closeable
from edge.camera import EndOfStream
from edge.events.event import AnyHeader, Inspection, decode
from edge.events.journal import Journal
from edge.product.product import Product
from edge.station.event_writer import EventWriter
from edge.vision.frame import Frame
from edge.vision.image_files import Image
from tests.support.minimal_station import FakeCamera


class RecordedEvents(Closeable):
    """An event sink that keeps the events, without the heartbeats between them."""

    def __init__(self) -> None:
        self.headers: list[AnyHeader] = []

    def send(self, parts: list[bytes]) -> None:
        if parts[0] != b"heartbeat":
            self.headers.append(decode(parts).header)

    def writer(self, product: Product) -> EventWriter:
        return EventWriter("s", product, Journal(None), self)

    @property
    def inspections(self) -> list[Inspection]:
        return [h for h in self.headers if isinstance(h, Inspection)]


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
