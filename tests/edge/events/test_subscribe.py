"""Real sockets: replay makes every stream whole, whatever was lost between the two ends."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

import pytest
import zmq

from edge.events.client import Cursor, service_endpoint
from edge.events.event import Code, Event
from edge.events.journal import DATABASE_NAME, Journal
from edge.events.journal_reader import JournalReader
from edge.events.notices import Notice, Notify
from edge.events.publisher import Publisher
from edge.events.replay_server import replay as replay_of
from edge.events.sockets import Sockets
from edge.events.subscriber import STALE_S, events, read_cursor, write_cursor
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT


class Lossy:
    """An outlet that publishes only what it is told to."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.losing = False

    def send(self, parts: list[bytes]) -> None:
        if not self.losing:
            self._publisher.send(parts)


class Line:
    """A log, its publisher and its replay at addresses that stay across restarts."""

    def __init__(self, folder: Path, endpoint: str = "tcp://127.0.0.1:*", replay: str = "") -> None:
        self.journal = Journal(folder)
        self._sockets = Sockets()
        self.publisher = Publisher(self._sockets, endpoint)
        self.replay = replay_of(self._sockets, replay or "tcp://127.0.0.1:*", folder)
        self.outlet = Lossy(self.publisher)
        self.stream = EventWriter("s", PRODUCT, self.journal, self.outlet)

    @property
    def addresses(self) -> tuple[str, str]:
        return self.publisher.endpoint, self.replay.endpoint

    def tell(self, count: int, *, lost: bool = False) -> None:
        self.outlet.losing = lost
        for _ in range(count):
            self.stream.fault(Code.CAMERA, "cut")
        self.outlet.losing = False

    def beat(self) -> None:
        self.stream._next_heartbeat = 0.0
        self.stream.tick(Controls(PRODUCT))

    def close(self) -> None:
        self.replay.close()
        self.publisher.close()
        self._sockets.close()
        self.journal.close()


@contextmanager
def line(folder: Path, addresses: tuple[str, str] = ("tcp://127.0.0.1:*", "")) -> Iterator[Line]:
    made = Line(folder, *addresses)
    try:
        yield made
    finally:
        made.close()


class Far:
    """A subscriber on a thread of its own that keeps the numbers of what it has got."""

    def __init__(
        self,
        addresses: tuple[str, str],
        cursor: Path | None = None,
        notify: Notify | None = None,
    ) -> None:
        self.seqs: list[int] = []
        self._stop = StopEvent()
        self._events = events(
            addresses[0],
            cursor,
            replay=addresses[1],
            notify=notify,
            stopped=self._stop.is_set,
        )
        self._thread = Thread(target=self._take)

    def _take(self) -> None:
        for event in self._events:
            self.seqs.append(event.header.seq)

    def __enter__(self) -> "Far":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def reaches(self, seq: int) -> None:
        """Wait until the event is there."""
        for _ in range(200):
            if self.seqs and self.seqs[-1] >= seq:
                return
            StopEvent().wait(0.05)
        raise AssertionError(f"event {seq} did not arrive: {self.seqs[-5:]}")


def test_replay_fills_what_was_lost_between_two_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with line(tmp_path / "log") as near, Far(near.addresses) as far:
        near.publisher.wait_for_subscribers(1, StopEvent())
        assert near.publisher.subscribers == 1
        near.tell(10)
        near.publisher.send([b"rubbish"])
        near.tell(700, lost=True)
        near.tell(1)
        far.reaches(711)
    assert far.seqs == list(range(1, 712))
    assert "left out a message" in caplog.text


def test_replay_gives_the_last_events_that_no_later_one_betrays(tmp_path: Path) -> None:
    with line(tmp_path / "log") as near, Far(near.addresses) as far:
        near.publisher.wait_for_subscribers(1, StopEvent())
        near.tell(3)
        near.tell(2, lost=True)
        far.reaches(5)
    assert far.seqs == [1, 2, 3, 4, 5]


def test_replay_brings_a_cursor_from_the_first_event_to_the_present(tmp_path: Path) -> None:
    """Also after the subscriber was away, and after the line was started again."""
    cursor = tmp_path / "cursor"
    with line(tmp_path / "log") as near:
        addresses = near.addresses
        near.tell(450)
        with Far(addresses, cursor) as far:
            far.reaches(450)
        assert far.seqs == list(range(1, 451))
        near.tell(5)
    with Far(addresses, cursor) as late:  # the line is not there yet
        with line(tmp_path / "log", addresses) as near:
            near.tell(5)
            late.reaches(460)
        with line(tmp_path / "log", addresses) as near:
            near.tell(2)
            late.reaches(462)
    first = late.seqs[0]
    assert first in (450, 451), "an event counts as dealt with when the next one is asked for"
    assert late.seqs == list(range(first, 463))


def test_replay_of_a_new_log_begins_with_its_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with line(tmp_path / "log") as near:
        addresses = near.addresses
        near.tell(30)
        with Far(addresses, tmp_path / "cursor") as far:
            far.reaches(30)
    for file in (tmp_path / "log").glob(f"{DATABASE_NAME}*"):
        file.unlink()
    with line(tmp_path / "log", addresses) as near, Far(addresses, tmp_path / "cursor") as far:
        near.tell(4)
        far.reaches(4)
    assert far.seqs == [1, 2, 3, 4]
    assert "begun anew" in caplog.text


def test_replay_waits_for_an_answer_rather_than_skip(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Live events flow, but the log cannot be asked: nothing is given until it can."""
    with line(tmp_path / "log") as near:
        silent = f"ipc://{tmp_path}/silent"
        near.tell(5, lost=True)
        with Far((near.publisher.endpoint, silent), tmp_path / "cursor") as far:
            near.publisher.wait_for_subscribers(1, StopEvent())
            near.tell(1)
            StopEvent().wait(2.5)
            assert far.seqs == []
            with Sockets() as sockets, replay_of(sockets, silent, tmp_path / "log"):
                far.reaches(6)
    assert far.seqs == [1, 2, 3, 4, 5, 6]
    assert caplog.text.count("events cannot be asked for") == 1, "not at each heartbeat"


@pytest.mark.parametrize(
    "request_",
    [b"", b"rubbish", b"{}", b'{"request":"page"}', b'{"request":"page","after":-1}', b"[1]",
     b'{"request":"page","after":0,"limit":100000}', b'{"request":"open","after":0}',
     b'{"request":"page","after":0,"more":1}', b"\xff" * 50],
)  # fmt: skip
def test_replay_answers_what_is_no_request_with_an_error(request_: bytes, tmp_path: Path) -> None:
    with line(tmp_path / "log") as near, zmq.Context() as context:
        near.tell(2)
        with context.socket(zmq.DEALER) as asking:
            asking.connect(near.replay.endpoint)
            asking.send(request_)
            assert asking.poll(5000)
            refusal = json.loads(asking.recv_multipart()[0])
            assert refusal["reply"] == "error"
            assert "docs/events.md" in refusal["message"]
            asking.send(b'{"request":"page","after":1,"limit":5}')
            assert asking.poll(5000)
            header = json.loads(asking.recv_multipart()[0])
            assert (header["reply"], header["head"], header["count"]) == ("page", 2, 1)


def test_replay_works_with_a_plain_req_socket(tmp_path: Path) -> None:
    with line(tmp_path / "log") as near, zmq.Context() as context:
        near.tell(3)
        with context.socket(zmq.REQ) as asking:
            asking.connect(near.replay.endpoint)
            asking.send_json({"request": "page", "after": 0, "limit": 2})
            header, *parts = asking.recv_multipart()
    assert json.loads(header)["count"] == 2
    assert len(parts) == 6


def test_a_cursor_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    assert read_cursor(path) is None
    write_cursor(path, Cursor("a", 7))
    assert read_cursor(path) == Cursor("a", 7)
    assert [p.name for p in tmp_path.iterdir()] == ["cursor"]


def test_the_log_answers_beside_the_publisher() -> None:
    assert service_endpoint("tcp://127.0.0.1:5570") == "tcp://127.0.0.1:5571"
    assert service_endpoint("tcp://127.0.0.1:5570", "control") == "tcp://127.0.0.1:5572"
    assert service_endpoint("tcp://127.0.0.1:5570", "live") == "tcp://127.0.0.1:5573"
    assert service_endpoint("ipc:///run/draem") == "ipc:///run/draem.replay"


def test_without_a_cursor_it_begins_with_the_present(tmp_path: Path) -> None:
    with line(tmp_path / "log") as near:
        near.tell(20)
        received: Iterator[Event] = events(near.publisher.endpoint, replay=near.replay.endpoint)
        got: list[int] = []
        thread = Thread(target=lambda: got.extend(e.header.seq for e in islice(received, 3)))
        thread.start()
        near.publisher.wait_for_subscribers(1, StopEvent())
        near.tell(3)
        thread.join(10)
    assert got == [21, 22, 23]


def test_replay_tells_silence_return_repeats_and_a_new_log_apart(tmp_path: Path) -> None:
    """What a bridge must act on, each by its own name."""
    found: list[Notice] = []
    with line(tmp_path / "log") as near:
        addresses = near.addresses
        with Far(addresses, tmp_path / "cursor", found.append) as far:
            near.publisher.wait_for_subscribers(1, StopEvent())
            near.beat()
            near.tell(3)
            far.reaches(3)
            with JournalReader(tmp_path / "log") as reader:
                near.publisher.send(reader.page(1, 1)[0])  # event 2 once more
            near.tell(2, lost=True)
            near.beat()
            far.reaches(5)
            StopEvent().wait(STALE_S + 0.5)
            near.beat()
            StopEvent().wait(0.5)
    for file in (tmp_path / "log").glob(f"{DATABASE_NAME}*"):
        file.unlink()
    with (
        line(tmp_path / "log", addresses) as near,
        Far(addresses, tmp_path / "cursor", found.append) as far,
    ):
        near.tell(1)
        far.reaches(1)
    kinds = [notice.kind for notice in found]
    assert far.seqs == [1]
    for kind in ("heartbeat", "repeat", "gap", "stale", "back", "new-stream"):
        assert kind in kinds, f"{kind} among {kinds}"
    assert kinds.index("stale") < kinds.index("back")
    heartbeat = next(n.heartbeat for n in found if n.heartbeat)
    assert (heartbeat.state, heartbeat.head) == ("running", 0)


def test_replay_tells_what_was_trimmed_before_it_could_be_asked_for(tmp_path: Path) -> None:
    found: list[Notice] = []
    with line(tmp_path / "log") as near:
        near.tell(300)
        for _ in range(5):
            near.journal.trim(250, None)
        with Far(near.addresses, tmp_path / "cursor", found.append) as far:
            far.reaches(300)
    assert far.seqs == list(range(far.seqs[0], 301))
    assert far.seqs[0] > 200
    assert [n.text for n in found if n.kind == "gone"] == [
        f"events 1 to {far.seqs[0] - 1} are gone from the log"
    ]


def test_replay_of_a_restored_log_loses_nothing_in_silence(tmp_path: Path) -> None:
    """Numbers that were given before are given again: that is told, and the new events come."""
    found: list[Notice] = []
    with line(tmp_path / "log") as near:
        addresses = near.addresses
        near.tell(5)
    shutil.copy(tmp_path / "log" / DATABASE_NAME, tmp_path / "backup")
    with line(tmp_path / "log", addresses) as near:
        near.tell(20)
        with Far(addresses, tmp_path / "cursor", found.append) as far:
            far.reaches(25)
    for file in (tmp_path / "log").glob(f"{DATABASE_NAME}*"):
        file.unlink()
    shutil.copy(tmp_path / "backup", tmp_path / "log" / DATABASE_NAME)
    far = Far(addresses, tmp_path / "cursor", found.append)
    with line(tmp_path / "log", addresses) as near, far:
        near.publisher.wait_for_subscribers(1, StopEvent())
        StopEvent().wait(1.5)
        near.tell(3)
        far.reaches(8)
    assert far.seqs[-3:] == [6, 7, 8]
    assert any("gone back" in n.text for n in found if n.kind == "new-stream")


def test_replay_tells_when_the_log_cannot_be_asked(tmp_path: Path) -> None:
    found: list[Notice] = []
    with line(tmp_path / "log") as near:
        silent = f"ipc://{tmp_path}/silent"
        with Far((near.publisher.endpoint, silent), tmp_path / "cursor", found.append):
            near.publisher.wait_for_subscribers(1, StopEvent())
            near.tell(1)
            StopEvent().wait(2.5)
    assert "unanswered" in [notice.kind for notice in found]


def test_whoever_wants_the_present_is_spared_the_past(tmp_path: Path) -> None:
    """After a cut no more than the newest are asked for, and what was left out is told."""
    notices: list[Notice] = []
    stop = StopEvent()
    line = Line(tmp_path)
    endpoint, replay = line.addresses
    found = events(endpoint, replay=replay, notify=notices.append, stopped=stop.is_set, newest=5)
    taken: list[int] = []

    def read() -> None:
        taken.extend(event.header.seq for event in found)

    reader = Thread(target=read)
    reader.start()
    try:
        line.publisher.wait_for_subscribers(1, StopEvent())
        line.tell(1)
        line.tell(100, lost=True)
        line.tell(1)
        end = time.monotonic() + 10
        while 102 not in taken and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        stop.set()
        reader.join()
        line.close()
    assert taken == [1, 98, 99, 100, 101, 102]
    assert [n.text for n in notices if n.kind == "skipped"] == [
        "events 2 to 97 are left in the log"
    ]
