"""A client with a key of role `watch` cannot fill the line's memory, nor stop its loop."""

import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from edge.events.access_list import AllowedClient, write_allowed
from edge.events.client import RequestClient, connect, service_endpoint
from edge.events.control_messages import Request
from edge.events.journal import Journal
from edge.events.journal_reader import JournalReader
from edge.events.keys import Credentials, make_pair, read_pair, read_public
from edge.events.publisher import LIVE_OPTIONS, Publisher
from edge.events.replay_server import Page
from edge.events.sockets import Sockets
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents
from tests.support.running_station import Running
from tests.support.waiting import wait_until

TOPICS = 40_000
MB = 1 << 20
FLOOD = """
import os, sys, time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.set(zmq.SNDHWM, 0)
if len(sys.argv) > 3:
    socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = (
        key.encode() for key in sys.argv[3:]
    )
socket.connect(sys.argv[1])
for _ in range(int(sys.argv[2])):
    socket.subscribe(os.urandom(32).hex())
print("subscribed", flush=True)
time.sleep(600)
"""


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture
def watcher(tmp_path: Path) -> Credentials:
    """A client of role `watch` of the station whose keys are in `keys`."""
    keys = tmp_path / "keys"
    for name in ("server", "screen"):
        make_pair(keys, name)
    key = read_public(keys / "screen.pub")
    write_allowed(keys, {"screen": AllowedClient(role="watch", key=key)})
    return Credentials(read_pair(keys / "screen.key"), read_public(keys / "server.pub"))


@pytest.mark.parametrize("service", ["events", "live"])
def test_a_flood_of_subscriptions_takes_no_memory_and_the_line_goes_on(
    service: str, watcher: Credentials, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = Running(tmp_path / "data", keys=tmp_path / "keys")
    endpoint = (
        running.endpoint if service == "events" else service_endpoint(running.endpoint, "live")
    )
    given = (watcher.pair.public, watcher.pair.secret, watcher.server)
    command = [sys.executable, "-c", FLOOD, endpoint, str(TOPICS), *given]
    before = resident()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as flood:
        try:
            assert flood.stdout is not None
            assert flood.stdout.readline() == b"subscribed\n"
            wait_until(lambda: "too many topics" in caplog.text, "it is disconnected")
            control = service_endpoint(running.endpoint, "control")
            with RequestClient(control, watcher, "--control") as asking:
                head = running.controls.head
                wait_until(lambda: running.controls.head > head + 50, "50 more events")
                assert b'"running"' in asking.ask(Request(request="health"))[0]
        finally:
            flood.kill()
            running.close()
    assert resident() - before < 60 * MB
    assert f"{watcher.pair.public} at 127.0.0.1 subscribes to too many topics" in caplog.text


@pytest.mark.parametrize("options", [{}, LIVE_OPTIONS])
@pytest.mark.parametrize(
    "topics", [[f"{number:03}" for number in range(100)], ["x" * 500], ["a" * 65]]
)
def test_many_or_long_topics_end_a_connection_and_no_other(
    options: dict[int, int], topics: list[str]
) -> None:
    with (
        Sockets() as sockets,
        Publisher(sockets, "tcp://127.0.0.1:*", options=options) as publisher,
        zmq.Context() as context,
        context.socket(zmq.SUB) as good,
        context.socket(zmq.SUB) as greedy,
    ):
        for socket in (good, greedy):
            socket.set(zmq.LINGER, 0)
        good.connect(publisher.endpoint)
        for topic in ("inspection", "fault", "status", "heartbeat"):
            good.subscribe(topic)
        monitor = greedy.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        good_monitor = good.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        greedy.connect(publisher.endpoint)
        for topic in topics:
            greedy.subscribe(topic)
        wait_until(lambda: publisher.count_subscribers() >= 0 and monitor.poll(10), "it is ended")
        publisher.send([b"fault", b"still here"])
        wait_until(lambda: publisher.count_subscribers() >= 0 and good.poll(10), "an event")
        assert good.recv_multipart() == [b"fault", b"still here"]
        assert not good_monitor.poll(0)
        for socket in (greedy, good):
            socket.disable_monitor()
        for watched in (monitor, good_monitor):
            watched.close(0)


def test_a_subscriber_that_connects_again_and_again_is_not_taken_for_a_flood() -> None:
    with (
        Sockets() as sockets,
        Publisher(sockets, "tcp://127.0.0.1:*") as publisher,
        zmq.Context() as context,
    ):
        for _ in range(60):
            with context.socket(zmq.SUB) as socket:
                socket.set(zmq.LINGER, 0)
                connect(socket, publisher.endpoint, "--endpoint", None)
                socket.subscribe(b"")
                wait_until(lambda: publisher.count_subscribers() == 1, "it is there")
            wait_until(lambda: publisher.count_subscribers() == 0, "it has gone")
        assert not publisher._subscriptions._of_connections.get(0)


def test_pages_that_nobody_reads_take_no_memory(watcher: Credentials, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "station-1"
    with Journal(folder) as journal:
        writer = EventWriter("s", PRODUCT, journal, RecordedEvents())
        header = inspect(writer, 1)
        numbers = range(2, 302)
        headers = [header.model_copy(update={"seq": seq}) for seq in numbers]
        journal.append(headers, [[b"", b"{}", bytes(100_000)] for _ in numbers])
    with JournalReader(folder) as reader:
        assert len(reader.page(1, 1000, MB)) == 11
        assert len(reader.page(1, 1000, 1)) == 1
    running = Running(tmp_path / "data", keys=tmp_path / "keys")
    before = resident()
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVHWM, 1)
        connect(socket, service_endpoint(running.endpoint), "--endpoint", watcher)
        for _ in range(500):
            socket.send(Page(after=1, limit=1000).model_dump_json().encode())
        head = running.controls.head
        wait_until(lambda: running.controls.head > head + 100, "the line goes on")
        with RequestClient(service_endpoint(running.endpoint), watcher, "--replay") as asking:
            assert asking.ask(Page(after=301, limit=1))
        assert resident() - before < 150 * MB
    running.close()
