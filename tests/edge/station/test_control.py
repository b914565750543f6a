"""Real sockets: a line is asked how it is, paused and resumed, and goes on whatever is asked."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from edge.events.client import service_endpoint
from edge.events.event import Heartbeat, Inspection, Status
from edge.events.receiver import live
from edge.events.subscriber import events
from edge.station.control import Controls
from edge.station.inspector import JudgedFrame
from edge.station.live_view import encode_picture
from tests.support.commands import draem_in_process
from tests.support.minimal_station import PRODUCT
from tests.support.running_station import Running


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    try:
        yield running
    finally:
        running.close()


def ask(station: Running, request: str) -> dict[str, object]:
    done = draem_in_process(
        "control", request, "--endpoint", station.endpoint, cwd=station.settings.data
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_control_replay_pause_and_resume_a_line(station: Running) -> None:
    reply = ask(station, "product")
    assert (reply["product"], reply["version"]) == ("lid", "1")
    assert ask(station, "health")["state"] == "running"
    told = events(station.endpoint)
    first = next(told).header
    assert ask(station, "pause")["reply"] == "health"
    codes = set()
    for event in told:
        header = event.header
        if isinstance(header, Status) and header.state == "paused":
            break
    for event in told:
        header = event.header
        if isinstance(header, Inspection):
            codes.add((header.verdict, header.code.name))
        if header.seq > first.seq + 100:
            break
    assert codes == {("NO_VERDICT", "paused")}
    assert ask(station, "health")["state"] == "paused"
    assert ask(station, "resume")["reply"] == "health"
    assert any(
        isinstance(e.header, Inspection) and e.header.verdict == "OK"
        for e, _ in zip(told, range(400), strict=False)
    )
    counters = ask(station, "counters")
    verdicts = counters["verdicts"]
    assert isinstance(verdicts, dict)
    assert verdicts["OK"] > 0 < verdicts["NO_VERDICT"]


def test_control_without_an_answer_is_an_error(tmp_path: Path) -> None:
    done = draem_in_process("control", "health", "--endpoint", "tcp://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 2
    assert "start the line" in done.stderr
    assert "Traceback" not in done.stderr


def test_control_reports_a_loop_that_hangs(station: Running) -> None:
    from edge.events.control_messages import HUNG_S
    from edge.station.control import _health

    controls = Controls(PRODUCT)
    controls.turned -= HUNG_S + 1
    assert _health(controls).state == "hung"
    assert _health(station.controls).state == "running"


def test_heartbeats_come_while_the_line_waits_and_carry_the_head(station: Running) -> None:
    beats: list[Heartbeat] = []
    for message in live(station.endpoint):
        if isinstance(message, Heartbeat):
            beats.append(message)
        if len(beats) == 3:
            break
    assert beats[0].head < beats[1].head < beats[2].head
    assert {(b.state, b.product, b.version) for b in beats} == {("running", "lid", "1")}
    gaps = [b.published_ns - a.published_ns for a, b in pairwise(beats)]
    assert all(0.3e9 < gap < 1.5e9 for gap in gaps)


def test_live_pictures_are_encoded_for_viewers_only_and_name_their_event(
    station: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(header: Inspection, *rest: object) -> list[bytes]:
        made.append(header.inspection_id)
        return encode_picture(header, *rest)  # type: ignore[arg-type]

    turned: list[JudgedFrame] = []
    heatmap_in_frame = JudgedFrame.heatmap_in_frame

    def counted_heat(judged: JudgedFrame) -> NDArray[np.float32] | None:
        turned.append(judged)
        return heatmap_in_frame(judged)

    monkeypatch.setattr("edge.station.live_view.encode_picture", counted)
    monkeypatch.setattr(JudgedFrame, "heatmap_in_frame", counted_heat)
    time.sleep(1)
    assert made == [], "nothing is encoded for nobody"
    assert turned == [], "no heatmap is turned back for nobody"
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(service_endpoint(station.endpoint, "live"))
        socket.subscribe(b"picture")
        start = time.monotonic()
        found: list[list[bytes]] = []
        while len(found) < 6:
            assert socket.poll(5000)
            found.append(socket.recv_multipart())
        assert time.monotonic() - start > 0.8, "at most five a second"
    for topic, named, picture, heat in found:
        assert topic == b"picture"
        about = json.loads(named)
        assert about["inspection_id"] in made
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
        gray = cv2.imdecode(np.frombuffer(heat, np.uint8), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert gray is not None
        assert (image.shape, gray.shape) == ((32, 32, 3), (32, 32))
        expected = 200 if about["verdict"] == "NG" else 0
        assert abs(int(image.mean()) - expected) < 3
        assert abs(int(gray.mean()) - expected) < 3


@pytest.mark.parametrize(
    "request_", [b"", b"{}", b"[]", b'{"request":"open"}', b'{"request":"pause","now":1}', b"\x00"]
)
def test_control_answers_an_invalid_request_with_an_error(
    station: Running, request_: bytes
) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(service_endpoint(station.endpoint, "control"))
        socket.send(request_)
        assert socket.poll(5000)
        assert json.loads(socket.recv())["reply"] == "error"
    assert not station.controls.paused


def test_pictures_of_rejects_some_others_and_the_last_ones_are_kept(station: Running) -> None:
    told = events(station.endpoint)
    kept: list[Inspection] = []
    for event in told:
        if isinstance(event.header, Inspection):
            kept.append(event.header)
        if len(kept) == 120:
            break
    station.close()
    folder = station.settings.data / station.settings.station
    stream = kept[0].stream_id[:8]
    found = {int(p.stem) for p in (folder / "pictures" / stream).glob("*.png")}
    rejects = {h.inspection_id for h in kept if h.verdict == "NG"}
    assert len(rejects) > 10
    assert rejects <= found
    assert 5 <= len([i for i in found if i % 7]) <= 30, "one OK in ten"
    ring = {int(p.stem) for p in (folder / "ring" / stream).glob("*.png")}
    assert len(ring) == 50
    assert max(ring | found) >= kept[-1].inspection_id

    one = str(min(rejects))
    words = ("log", "mark", one, "false-reject", "--data", str(station.settings.data))
    done = draem_in_process(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "marked" / "false-reject").glob(f"*-{one}.png"))) == 1
    header = next((folder / "marked" / "false-reject").glob("*.json")).read_text()
    assert json.loads(header)["inspection_id"] == int(one)
    done = draem_in_process(
        "log", "mark", "999999", "missed", "--data", str(station.settings.data), cwd=folder
    )
    assert (done.returncode, "not in the log" in done.stderr) == (2, True)


def test_cursors_are_listed_and_removed(station: Running) -> None:
    from edge.events.subscriber import Acknowledging

    cursor = station.settings.data / "cursor"
    told = events(station.endpoint, cursor, acknowledging=Acknowledging("plc", "bridge"))
    for _ in range(60):
        next(told)
    words = ("log", "cursors", "--data", str(station.settings.data))
    done = draem_in_process(*words, cwd=station.settings.data)
    assert "plc" in done.stdout
    assert "bridge" in done.stdout
    assert draem_in_process(*words, "--drop", "plc", cwd=station.settings.data).returncode == 0
    done = draem_in_process(*words, "--drop", "plc", cwd=station.settings.data)
    assert (done.returncode, "no cursor is named" in done.stderr) == (2, True)
    told.close()  # type: ignore[attr-defined]
