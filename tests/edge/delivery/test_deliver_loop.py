"""The loop of a delivery, with a real log and folder: nothing lost, nothing under two names."""

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.delivery import delivery as loop
from edge.delivery import station_log
from edge.delivery.delivery import Delivery
from edge.delivery.errors import DeliveryError, Stopped
from edge.delivery.pace import Pace
from edge.delivery.place import Access, Place
from edge.delivery.progress import Progress
from edge.delivery.station_log import StationLog
from edge.delivery.target import Target
from edge.delivery.template import DEFAULT, parse_template
from edge.delivery.wanted import Wanted
from edge.events import client as client_module
from edge.events.client import RequestClient
from edge.events.clock import boot_id
from edge.events.cursor_file import Cursor
from edge.events.cursors import Cursors
from edge.events.event import MESSAGE, Inspection
from tests.support.pictured_log import MASK, PicturedLog, picture_of
from tests.support.slow_station import SlowStation

Wait = Callable[[float], None]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[PicturedLog]:
    with PicturedLog(tmp_path / "station") as log:
        yield log


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


class Deliveries:
    """Deliveries one after another that know of each other by the file of progress alone."""

    def __init__(self, station: PicturedLog, place: Path) -> None:
        self.station, self.place = station, place
        self.progress = place.parent / "deliver.json"

    def round(
        self, template: str = DEFAULT, wait: Wait = lambda s: None, **wanted: object
    ) -> Delivery:
        """All that the log has now. Whatever `wait` raises ends it as a kill would."""
        target = Target(Place("file", str(self.place)), Access(), Pace(1e9, 1e9, wait))
        client = RequestClient(self.station.replay, None, "--replay")
        with StationLog(client, "deliver", wait) as log, target:
            made = Delivery(
                log, target, Progress(self.progress), parse_template(template),
                Wanted(**wanted), wait,  # type: ignore[arg-type]
            )  # fmt: skip
            made.round()
            made.progress.save()
        return made

    def names(self) -> list[str]:
        return sorted(str(p.relative_to(self.place)) for p in self.place.rglob("*") if p.is_file())


@pytest.fixture
def deliveries(station: PicturedLog, place: Path) -> Deliveries:
    return Deliveries(station, place)


def test_deliver_brings_every_ng_and_no_verdict(deliveries: Deliveries) -> None:
    station = deliveries.station
    station.add("NG")
    station.add_fault()
    station.add("OK")
    station.add("NO_VERDICT")
    station.add("NO_VERDICT", kept=False, picture=False)
    found = deliveries.round()
    assert deliveries.names() == ["2026-11-02/lid/p1_NG.png", "2026-11-02/lid/p4_NO_VERDICT.png"]
    assert (deliveries.place / "2026-11-02/lid/p1_NG.png").read_bytes() == picture_of(1)
    assert (found.progress.delivered, found.progress.missing) == (2, 0)
    station.add("NG")
    assert deliveries.round().progress.delivered == 3
    assert len(deliveries.names()) == 3


def test_deliver_brings_ok_parts_json_and_masks_where_asked(deliveries: Deliveries) -> None:
    for _ in range(4):
        deliveries.station.add("OK")
    deliveries.round("{part_id}.png", ok_one_in=2, with_json=True, with_mask=True)
    ends = (".json", ".png", "_mask.png")
    assert deliveries.names() == [f"p{n}{end}" for n in (2, 4) for end in ends]
    assert (deliveries.place / "p2_mask.png").read_bytes() == MASK
    header = MESSAGE.validate_json((deliveries.place / "p2.json").read_bytes())
    assert isinstance(header, Inspection)
    assert (header.seq, header.part_id) == (2, "p2")


def test_deliver_gives_parts_of_one_name_different_ones(deliveries: Deliveries) -> None:
    """The second and third have log and number of their event in it; a foreign file stays."""
    (deliveries.place / "A_NG.json").write_bytes(b"foreign")
    headers = [deliveries.station.add("NG", part_id="A") for _ in range(3)]
    deliveries.round("{part_id}_{verdict}.png", with_json=True)
    log = headers[0].stream_id[:8]
    stems = [f"A_NG_{log}-{n}" for n in (1, 2, 3)]
    assert deliveries.names() == sorted(
        ["A_NG.json", *(f"{stem}{end}" for stem in stems for end in (".json", ".png"))]
    )
    assert (deliveries.place / f"{stems[1]}.png").read_bytes() == picture_of(2)


class Killed(BaseException):
    """As kill -9: the program goes no further."""


class KilledAt:
    """Counts steps of writing files, and ends the program before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps, self.at = 0, 0
        for name in ("open", "fsync", "link", "unlink", "replace"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def step(*words: object, **more: object) -> object:
            self.steps += 1
            if self.steps >= self.at > 0:
                raise Killed
            return real(*words, **more)

        return step


def test_deliver_after_a_kill_at_any_step_has_each_picture_once(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts of one id, killed at each step; a second start has to finish."""
    for _ in range(2):
        deliveries.station.add("NG", part_id="A")
    killed = KilledAt(monkeypatch)
    for step in range(1, 1000):
        shutil.rmtree(deliveries.place)
        deliveries.place.mkdir()
        deliveries.progress.unlink(missing_ok=True)
        killed.steps, killed.at = 0, step
        with suppress(Killed):
            deliveries.round("{part_id}.png", with_json=True)
        is_over, killed.at = killed.steps < step, 0
        assert deliveries.round("{part_id}.png", with_json=True).progress.delivered == 2
        pictures = [n for n in deliveries.names() if n.endswith(".png")]
        found = [(deliveries.place / name).read_bytes() for name in pictures]
        assert sorted(found) == [picture_of(1), picture_of(2)], step
        assert len(deliveries.names()) == 4, step
        if is_over:
            break
    assert step > 20


def test_deliver_counts_and_logs_what_the_station_no_longer_has(
    deliveries: Deliveries, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(station_log, "SETTLE_S", 0.0)
    for number in range(1, 6):
        deliveries.station.add("NG", kept=number in (1, 5))
    found = deliveries.round()
    found._missing.report(at_once=True)
    assert (found.progress.delivered, found.progress.missing) == (2, 3)
    lines = [record.getMessage() for record in caplog.records]
    assert (
        "the picture of part p2 (event 2, NG) is not delivered: the station no longer has it"
        in lines
    )
    assert (
        "2 more pictures are not delivered, of events 3 to 4: the station no longer has it" in lines
    )
    assert deliveries.round().progress.missing == 3, "it is in the file"


def test_deliver_waits_for_a_picture_that_is_still_written(deliveries: Deliveries) -> None:
    """The station publishes a verdict before it writes the picture; its clock is years behind."""
    deliveries.station.add("NG", kept=False, published_at="2020-01-01T00:00:00+00:00")
    asked: list[float] = []

    def wait(seconds: float) -> None:
        asked.append(seconds)
        if asked.count(station_log.ASK_AGAIN_S) == 2:
            deliveries.station.picture(1).parent.mkdir(parents=True, exist_ok=True)
            deliveries.station.picture(1).write_bytes(picture_of(1))

    assert deliveries.round(wait=wait).progress.delivered == 1


def test_deliver_waits_for_no_picture_that_should_be_there_for_long(
    station: PicturedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an event far behind the newest, and of one that this machine published."""
    monkeypatch.setattr(station_log, "FAR_BEHIND", 2)
    headers = [station.add("NG", kept=False) for _ in range(3)]
    ago_ns = time.monotonic_ns() - 60_000_000_000
    here = headers[2].model_copy(update={"boot_id": boot_id(), "published_ns": ago_ns})

    def wait(seconds: float) -> None:
        raise Stopped

    with StationLog(RequestClient(station.replay, None, "--replay"), "deliver", wait) as log:
        assert len(list(log.events_after(Cursor("", 0)))) == 3
        assert log.picture(headers[0]) is None
        assert log.picture(here) is None
        with pytest.raises(Stopped):
            log.picture(headers[2])


def test_deliver_gives_a_slow_picture_more_time_at_each_try(
    station: PicturedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes 0.3 s here; meanwhile the loop lives and the station knows the cursor."""
    monkeypatch.setattr(station_log, "ANSWER_MS", 50)
    monkeypatch.setattr(station_log, "ACKNOWLEDGE_S", 0.0)
    monkeypatch.setattr(client_module, "TURN_MS", 20)
    header = station.add("NG")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        assert waits.count(1.0) < 8, "it never has enough time"

    with (
        SlowStation(0.3) as slow,
        StationLog(RequestClient(slow.endpoint, None, "--replay"), "deliver", wait) as log,
    ):
        log.acknowledge(Cursor(header.stream_id, 0))
        assert log.picture(header) == picture_of(1)
        assert slow.asked.count("acknowledge") > 1
    assert waits.count(0.0) > 5


def test_deliver_can_be_stopped_among_events_without_pictures(deliveries: Deliveries) -> None:
    for _ in range(3):
        deliveries.station.add("OK")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        deliveries.round(wait=wait)


def test_the_station_knows_a_delivery_before_its_first_event_is_done_with(
    deliveries: Deliveries,
) -> None:
    deliveries.place.rmdir()  # a share that is not mounted
    for _ in range(2):
        deliveries.station.add("NG")

    def wait(seconds: float) -> None:
        if seconds > 0:
            raise Stopped

    with pytest.raises(Stopped):
        deliveries.round(wait=wait)
    with Cursors(deliveries.station.folder) as cursors:
        assert [(one.name, one.seq) for one in cursors.all()] == [("deliver", 0)]
    deliveries.place.mkdir()
    assert deliveries.round().progress.delivered == 2


def test_deliver_waits_for_a_target_and_keeps_the_cursor_at_the_station(
    deliveries: Deliveries, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share that is not mounted: no picture is lost, none is written into the empty folder."""
    monkeypatch.setattr(station_log, "ACKNOWLEDGE_S", 0.0)
    monkeypatch.setattr(loop, "BACKOFF_S", 0.01)
    deliveries.station.add("NG")
    deliveries.round()
    unmounted = deliveries.place.rename(deliveries.place.with_name("unmounted"))
    deliveries.station.add("NG")
    seen: list[int] = []

    def wait(seconds: float) -> None:
        with Cursors(deliveries.station.folder) as cursors:
            seen.append(cursors.all()[0].seq)
        if len(seen) == 3:
            assert not deliveries.place.exists()
            unmounted.rename(deliveries.place)

    assert deliveries.round(wait=wait).progress.delivered == 2
    assert set(seen[:3]) == {1}
    lines = [record.getMessage() for record in caplog.records if record.name == loop.__name__]
    assert len(lines) == 2, "one of the outage, one of its end"
    assert "make it there, or mount the share" in lines[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_deliver_goes_on_when_a_full_disk_has_room_again(
    deliveries: Deliveries, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BACKOFF_S", 0.01)
    words = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(deliveries.place)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        for _ in range(3):
            deliveries.station.add("NG")
        left: list[list[str]] = []

        def wait(seconds: float) -> None:
            if seconds > 0:  # between two attempts
                left.append(deliveries.names())
                (deliveries.place / "2026-11-02/lid/p1_NG.png").unlink(missing_ok=True)

        assert deliveries.round(wait=wait).progress.delivered == 3
        assert left[0] == ["2026-11-02/lid/p1_NG.png", "2026-11-02/lid/p2_NG.png"]
        assert "free space on the disk" in caplog.text
        assert (deliveries.place / "2026-11-02/lid/p3_NG.png").read_bytes() == picture_of(3)
    finally:
        subprocess.run(["umount", str(deliveries.place)], check=True)


def test_deliver_stops_in_the_middle_and_goes_on(deliveries: Deliveries) -> None:
    deliveries.station.add("NG")

    def wait(seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        deliveries.round(wait=wait)
    assert deliveries.names() == []
    assert deliveries.round().progress.delivered == 1


def test_deliver_waits_for_the_station(
    tmp_path: Path, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line while it does not answer, whatever is asked."""
    caplog.set_level(logging.INFO)
    stopped = PicturedLog(tmp_path / "station")
    header, address = stopped.add("NG"), stopped.replay
    stopped.close()
    with RequestClient(address, None, "--replay", answer_ms=50) as client:
        log = StationLog(client, "deliver", lambda seconds: None)
        for _ in range(3):
            assert list(log.events_after(Cursor("", 0))) == []
        assert log.failing
        with PicturedLog(tmp_path / "station", address):
            assert log.picture(header) == picture_of(1)
        assert not log.failing
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == [
        "the station's pictures have to wait", "the station answers again",
    ]  # fmt: skip


def test_deliver_goes_on_with_a_new_log_of_the_station(deliveries: Deliveries) -> None:
    deliveries.station.add("NG")
    deliveries.round()
    deliveries.station.close()
    with PicturedLog(deliveries.place.parent / "again") as log:
        deliveries.station = log
        log.add("NG")
        assert deliveries.round().progress.delivered == 2
    assert len(deliveries.names()) == 2


def test_deliver_says_that_a_restored_log_has_other_events(
    deliveries: Deliveries, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an older copy that has grown beyond the cursor while the delivery was off."""
    deliveries.station.add("NG")
    copy = shutil.copytree(deliveries.station.folder, deliveries.place.parent / "copy")
    for _ in range(2):
        deliveries.station.add("NG")
    deliveries.round()
    with PicturedLog(copy) as log:
        deliveries.station = log
        for day in (3, 4):
            log.add("NG", published_at=f"2026-11-0{day}T06:00:00+00:00")
        deliveries.round()
        assert "pictures of its events up to 3 are not delivered where" in caplog.text
        caplog.clear()
        log.add("NG")
        assert deliveries.round().progress.delivered == 4
    assert "restored" not in caplog.text


def test_deliver_refuses_a_file_that_is_not_its_progress(tmp_path: Path) -> None:
    for text in ("", "{", '{"seq": -1}', '{"other": 1}'):
        (tmp_path / "p.json").write_text(text)
        with pytest.raises(DeliveryError, match="delete it to begin"):
            Progress(tmp_path / "p.json")


def test_deliver_is_held_to_its_bytes_and_files_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("edge.delivery.pace.time.monotonic", lambda: clock[0])

    def wait(seconds: float) -> None:
        clock[0] += seconds

    pace = Pace(1000.0, 4.0, wait)
    for _ in range(10):
        pace.file()
        pace.chunk(500)
    assert clock[0] == pytest.approx(104.5)
    clock[0] += 60  # what was not used is not made up for
    begun = clock[0]
    for _ in range(9):
        pace.file()
    assert clock[0] - begun == pytest.approx(2.0)
