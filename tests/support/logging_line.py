"""A line with a log and sockets, without a camera; and subscribers to it on threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

from edge.events.codes import Code
from edge.events.journal import DATABASE_NAME, Journal
from edge.events.notices import Notice
from edge.events.publisher import Publisher
from edge.events.replay_server import serve_replay
from edge.events.sockets import Sockets
from edge.events.subscriber import events
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT
from tests.support.waiting import wait_until

ANY_PORT = "tcp://127.0.0.1:*"
Addresses = tuple[str, str]


class LossySink:
    """An event sink that does not publish while `losing`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.losing = False

    def send(self, parts: list[bytes]) -> None:
        if not self.losing:
            self._publisher.send(parts)


class Line:
    """A log, its publisher and its replay server."""

    def __init__(self, folder: Path, endpoint: str, replay: str) -> None:
        self.journal = Journal(folder)
        self._sockets = Sockets()
        self.publisher = Publisher(self._sockets, endpoint)
        self.replay = serve_replay(self._sockets, replay, folder)
        self._sink = LossySink(self.publisher)
        self.writer = EventWriter("s", PRODUCT, self.journal, self._sink)

    @property
    def addresses(self) -> Addresses:
        return self.publisher.endpoint, self.replay.endpoint

    def write(self, count: int, *, lost: bool = False) -> None:
        self._sink.losing = lost
        for _ in range(count):
            self.writer.fault(Code.CAMERA, "cut")
        self._sink.losing = False

    def wait_for_subscriber(self) -> None:
        wait_until(lambda: self.publisher.count_subscribers() == 1, "a subscriber")

    def close(self) -> None:
        self.replay.close()
        self.publisher.close()
        self._sockets.close()
        self.journal.close()


@contextmanager
def line(folder: Path, addresses: Addresses = (ANY_PORT, ANY_PORT)) -> Iterator[Line]:
    """A line; with the addresses of an earlier one it is that line, started again."""
    started = Line(folder, *addresses)
    try:
        yield started
    finally:
        started.close()


class Subscriber:
    """A subscriber on a thread that keeps the numbers of its events, and its notices."""

    def __init__(
        self, addresses: Addresses, cursor: Path | None = None, newest: int | None = None
    ) -> None:
        self.seqs: list[int] = []
        self.notices: list[Notice] = []
        self._stop = StopEvent()
        self._events = events(
            addresses[0],
            cursor,
            replay=addresses[1],
            notify=self.notices.append,
            stopped=self._stop.is_set,
            newest=newest,
        )
        self._thread = Thread(target=self._receive)

    def _receive(self) -> None:
        for event in self._events:
            self.seqs.append(event.header.seq)

    def __enter__(self) -> "Subscriber":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def wait_for(self, seq: int) -> None:
        wait_until(lambda: self.seqs and self.seqs[-1] >= seq, f"event {seq}")

    def wait_for_notice(self, kind: str) -> str:
        """The text of the first notice of a kind."""
        wait_until(lambda: self.texts(kind), f"a notice {kind}")
        return self.texts(kind)[0]

    def texts(self, kind: str) -> list[str]:
        return [notice.text for notice in self.notices if notice.kind == kind]


def delete_log(folder: Path) -> None:
    for file in folder.glob(f"{DATABASE_NAME}*"):
        file.unlink()
