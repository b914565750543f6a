"""What the live page knows of a station, and when it asks."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import simplejpeg
import zmq

from edge.archive.statistics import Counts
from edge.events.control_messages import CountersReply, Health
from edge.events.encoding import encode, encode_mask
from edge.events.event import Event, Inspection, MaskPlacement, Region
from edge.web.live.archive_watch import Archived
from edge.web.live.condition import Condition, What
from edge.web.live.conditions import conditions
from edge.web.live.health_watch import Answers, Cursor, HealthWatch
from edge.web.live.live_station import LiveStation
from edge.web.live.outlines import outlines
from edge.web.live.picture_feed import NEWEST, PictureFeed
from edge.web.live.shift_card import ShiftCounts
from edge.web.live.station_feed import Key, StationFeed, StationState
from edge.web.settings import StationAddresses
from edge.web.texts import Texts
from tests.support.archived import BEGIN, inspected, reported
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

STREAM = "0123456789abcdef"


@contextmanager
def publisher(offset: int) -> Iterator[tuple["zmq.Socket[bytes]", StationAddresses]]:
    """A socket that says who subscribes, and the addresses of a station with it."""
    port = free_ports(4)[0]
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.set(zmq.XPUB_VERBOSER, 1)
        socket.set(zmq.LINGER, 0)
        socket.bind(f"tcp://127.0.0.1:{port + offset}")
        one, two, three, four = (f"tcp://127.0.0.1:{port + i}" for i in range(4))
        yield socket, StationAddresses("line-1", one, two, three, four)


def subscription(socket: "zmq.Socket[bytes]") -> int | None:
    """1 for one that begins, 0 for one that ends, None for none within two tenths."""
    return socket.recv()[0] if socket.poll(200) else None


def picture(seq: int, verdict: str = "OK") -> list[bytes]:
    """A live picture as a station sends it."""
    named = {"stream_id": STREAM, "seq": seq, "inspection_id": seq, "verdict": verdict}
    jpeg = simplejpeg.encode_jpeg(np.zeros((30, 40, 3), np.uint8))
    return [b"picture", json.dumps(named).encode(), jpeg, b""]


def test_web_live_pictures_are_subscribed_once_and_only_while_somebody_looks() -> None:
    with publisher(3) as (socket, addresses), PictureFeed(addresses) as feed:
        assert subscription(socket) is None
        for _ in range(4):  # as many viewers
            feed.want()
        wait_until(lambda: subscription(socket) == 1, "the pictures are subscribed")
        for seq in range(1, 60):
            socket.send_multipart(picture(seq, "NG" if seq < 3 else "OK"))
            time.sleep(0.002)
        wait_until(lambda: feed.newest and feed.newest.key.seq == 59, "the newest picture came")
        kept = [seq for seq in range(1, 60) if feed.find(Key(STREAM, seq))]
        assert kept == [1, 2, *range(60 - NEWEST, 60)], "the newest, and those not OK"
        socket.send_multipart([b"picture", b"rubbish", b"", b""])
        wait_until(lambda: subscription(socket) == 0, "the subscription ends by itself")
        wait_until(lambda: feed.newest is None, "an old picture is not kept for the next viewer")


def test_web_live_events_since_the_archive_count_only_where_none_is_missing() -> None:
    with publisher(0) as (socket, addresses), StationFeed(addresses) as feed:
        wait_until(lambda: subscription(socket) == 1, "the feed has subscribed")

        def publish(event: Event) -> None:
            socket.send_multipart(encode(event.header))
            wait_until(lambda: feed.head.seq == event.header.seq, "it came")

        for event in (inspected(7), inspected(8, verdict="NG"), reported(9), inspected(10)):
            publish(event)
        begin = BEGIN + timedelta(seconds=8)
        assert feed.counted_since(Key(STREAM, 6), BEGIN) == Counter(OK=2, NG=1)
        assert feed.counted_since(Key(STREAM, 6), begin) == Counter(OK=1, NG=1)
        assert feed.counted_since(Key(STREAM, 10), BEGIN) == Counter()
        assert feed.counted_since(Key(STREAM, 5), BEGIN) is None, "6 was not received"
        assert feed.counted_since(Key("another", 6), BEGIN) is None
        publish(inspected(12))
        assert feed.counted_since(Key(STREAM, 9), BEGIN) is None, "11 was not received"


def of_shift(archived: Archived, since: Counter[str] | None) -> ShiftCounts:
    feed = SimpleNamespace(counted_since=lambda *_: since, head=Key(STREAM, 20))
    station = SimpleNamespace(archive=SimpleNamespace(now=archived), feed=feed)
    return ShiftCounts(cast(LiveStation, station), Texts("en"))


def test_web_live_shift_is_honest_about_what_it_counts() -> None:
    counts = Counts("all", 90, 10, 1, 0, 0, 0)
    archived = Archived("early", BEGIN, counts, STREAM, 15, at=1.0)
    complete = of_shift(archived, Counter(OK=10))
    assert (complete.number("OK", Texts("en")), complete.rate(Texts("en"))) == ("100", "9.1 %")
    assert complete.note == ""
    behind = of_shift(archived, None)
    assert behind.number("OK", Texts("en")) == "90"
    assert behind.note.startswith("without the last 5 events")
    nothing = of_shift(Archived("early", BEGIN, None, STREAM, None, at=1.0), Counter())
    assert nothing.number("OK", Texts("en")) == "-"
    assert of_shift(Archived(error="it cannot be read"), None).note == "it cannot be read"


HEALTHY = Health(state="running", uptime_s=9, turned_s_ago=0, head=20, unlogged=0)
COUNTERS = CountersReply(passed_over=0, pictures_dropped=0)


def found(answers: Answers, archived: Archived | None = None) -> dict[What, Condition]:
    """The conditions of a station with these answers."""
    now = time.monotonic()
    feed = SimpleNamespace(head=Key(STREAM, 20), heartbeat=None)
    archive = SimpleNamespace(
        now=archived or Archived(stream_id=STREAM, head=20, at=now, moved_at=now)
    )
    station: Any = SimpleNamespace(
        feed=feed, archive=archive, health=SimpleNamespace(answers=answers),
        state=lambda: StationState("line-1", "good", "running"),
        addresses=StationAddresses("line-1", "", "", "", "", data=Path("data")),
    )  # fmt: skip
    return {one.what: one for one in conditions(station, Texts("en"))}


def test_web_live_all_is_well_only_where_it_is_known() -> None:
    cursors = (Cursor("plc", "bridge", STREAM, 19, 0.5), Cursor("archive", "bridge", "", 0, 99))
    good = found(Answers(HEALTHY, None, COUNTERS, cursors))
    assert {one.level for one in good.values()} == {"good"}
    assert good["bridge"].word == "plc at 19"
    silent = found(Answers(error="no answer"))
    levels = {what: one.level for what, one in silent.items()}
    assert levels == {
        "line": "warning", "camera": "unknown", "log": "unknown", "drift": "unknown",
        "archive": "good", "bridge": "unknown",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("what", "changes", "level", "text"),
    [
        ("camera", {"outage": "camera_lost"}, "bad", "the camera does not answer"),
        ("drift", {"drift": "lens_dirty"}, "warning", "lens dirty or out of focus"),
        ("log", {"unlogged": 3}, "bad", "3 results are not written yet."),
    ],
)
def test_web_live_each_trouble_has_its_fix(
    what: What, changes: dict[str, object], level: str, text: str
) -> None:
    one = found(Answers(HEALTHY.model_copy(update=changes), None, COUNTERS, ()))[what]
    assert (one.level, one.problem) == (level, text)
    assert one.fix


def test_web_live_the_disk_is_measured_by_the_thread_that_asks(tmp_path: Path) -> None:
    with publisher(0) as (_, addresses), HealthWatch(replace(addresses, data=tmp_path)) as watch:
        watch.want()
        wait_until(lambda: watch.answers.free_bytes, "measured", 20)
    one = found(Answers(HEALTHY, free_bytes=10**9))["disk"]
    assert (one.level, one.word) == ("warning", "1.0 GB free")
    assert "disk" not in found(Answers(HEALTHY))


def test_web_live_an_archive_or_a_bridge_that_stands_still_is_bad() -> None:
    now = time.monotonic()
    stalled = Archived(stream_id=STREAM, head=10, at=now, moved_at=now - 60)
    bridge = (Cursor("plc", "bridge", STREAM, 19, 60.0),)
    bad = found(Answers(HEALTHY, None, COUNTERS, bridge), stalled)
    assert (bad["archive"].level, bad["archive"].word) == ("bad", "10 events behind")
    assert (bad["bridge"].level, bad["bridge"].problem) == (
        "bad", "plc has not reported for 60 s.")  # fmt: skip
    empty = Archived(stream_id=STREAM, head=None, at=now, moved_at=now)
    assert found(Answers(HEALTHY), empty)["archive"].level == "bad"


def test_web_live_outlines_lie_on_the_frame() -> None:
    """The mask covers a crop; without lens distortion it does not fit, and boxes are drawn."""
    mask = np.zeros((10, 10), np.uint8)
    mask[4:6, 4:6] = 255
    where = MaskPlacement(crop=(100, 200, 50, 100), height=10, width=10)
    header = inspected(1, verdict="NG", mask=where).header
    assert isinstance(header, Inspection)
    drawn = outlines(Event(header, None, encode_mask(mask)))
    points = np.array([p.split() for p in drawn.strip("MZ").split("L")], float)
    assert points.min(axis=0).tolist() == [117.5, 235.0]  # half a pixel of the mask outside
    assert points.max(axis=0).tolist() == [132.5, 265.0]
    corrected = header.model_copy(update={"mask": where.model_copy(update={"corrected": True})})
    assert outlines(Event(corrected, None, encode_mask(mask))) == "M10 20h30v40h-30Z"
    two = [Region(box=box, area=1, score=1) for box in ((1, 2, 3, 4), (5, 6, 7, 8))]
    unmasked = header.model_copy(update={"mask": None, "regions": two})
    assert outlines(Event(unmasked)) == "M1 2h3v4h-3ZM5 6h7v8h-7Z"
