"""What is told of a camera that hangs, repeats itself, ends, or changes: whatever kind it is."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from threading import Event as StopEvent

import numpy as np
import pytest

from edge.base.errors import CameraError
from edge.camera import Camera, CameraNotice, FrameTimeout, SettingsRefused
from edge.camera.capture import FrameQueue
from edge.camera.reconnecting import MOST_LEFT, ReconnectingCamera
from edge.camera.software_trigger import SoftwareTriggers
from edge.camera.trigger_matching import LATEST_S, LONGEST_QUEUE, Trigger, TriggerMatching
from edge.events.event import Code, Fault, Inspection, decode
from edge.events.journal import Journal
from edge.events.journal_reader import JournalReader as LogReader
from edge.product.product import Product
from edge.station.event_writer import EventWriter
from edge.station.loop import Pace, run
from edge.vision.calibration import Range
from edge.vision.frame import Frame
from tests.support.cameras import wait_for
from tests.support.minimal_station import PRODUCT, FakeCamera, MeanEngine, calibrated_for

Step = Callable[[], Frame]
NUMBERS = count(100)


class Scripted(FakeCamera):
    """A camera whose reads follow a script; after it frames come as they should."""

    live = True

    def __init__(self, *steps: Step) -> None:
        self._steps = iter(steps)
        self.closed = False

    def read(self) -> Frame:
        time.sleep(0.01)
        step = next(self._steps, None)
        return step() if step else picture(next(NUMBERS))

    def close(self) -> None:
        self.closed = True


def picture(seed: int, side: int = 8, code: Code = Code.NONE) -> Frame:
    image = np.random.default_rng(seed).integers(0, 255, (side, side), np.uint8)
    return Frame(image, seed, time.monotonic_ns(), code=code)


def fails(text: str) -> Step:
    def step() -> Frame:
        raise CameraError(text)

    return step


def hangs(until: StopEvent) -> Step:
    def step() -> Frame:
        until.wait(30)
        raise CameraError("it came back too late")

    return step


def watched(
    *cameras: Camera, deadline_ms: int | None = 300, ties: TriggerMatching | None = None
) -> ReconnectingCamera:
    """Each connection gets the next of `cameras`, and the last one for ever."""
    rest = list(cameras)
    return ReconnectingCamera(
        "camera T", lambda: rest.pop(0) if len(rest) > 1 else rest[0], deadline_ms, ties=ties
    )


def news(camera: ReconnectingCamera, seconds: float = 5) -> Iterator[Frame | CameraNotice]:
    """What it gives and tells."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            yield camera.read()
        except FrameTimeout:
            continue
        except CameraNotice as trouble:
            yield trouble


def codes(camera: ReconnectingCamera, until: Code) -> list[Code]:
    """What was told until `until`, without the frames that are right."""
    found: list[Code] = []
    for came in news(camera):
        if came.code is not Code.NONE:
            found.append(came.code)
        if came.code is until:
            return found
    raise AssertionError(f"{until.name} never came: {found}")


def test_camera_that_fails_is_replaced_by_a_new_one() -> None:
    first, second = Scripted(fails("the cable is cut")), Scripted(lambda: picture(7))
    with watched(first, second) as camera:
        assert codes(camera, Code.CAMERA_BACK) == [Code.CAMERA_LOST, Code.CAMERA_BACK]
        frame = next(news(camera))
        assert frame.frame_id == 7, "the frame that ended the outage is judged"  # type: ignore[union-attr]
        assert first.closed
        assert (camera.counters["outages"], camera.counters["reconnected"]) == (1, 1)


def test_camera_is_tried_for_ever_and_told_once() -> None:
    broken = Scripted(*[fails("no answer")] * 1000)
    with watched(Scripted(fails("no answer")), broken) as camera:
        told = list(news(camera, 2))
    assert [came.code for came in told] == [Code.CAMERA_LOST]
    assert camera.counters["outages"] == 1


def test_camera_whose_read_hangs_is_left_behind_in_time() -> None:
    until = StopEvent()
    hung = Scripted(lambda: picture(1), hangs(until))
    with watched(hung, Scripted()) as camera:
        start = time.monotonic()
        found = codes(camera, Code.CAMERA_BACK)
        assert time.monotonic() - start < 2
        assert found == [Code.CAMERA_SILENT, Code.CAMERA_BACK]
        until.set()
    for _ in range(100):
        if hung.closed:
            break
        time.sleep(0.02)
    assert hung.closed, "it gives its camera back when the driver lets go"


def test_camera_reads_that_hang_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.camera.reconnecting.FIRST_FRAME_S", 0.05)
    monkeypatch.setattr("edge.camera.reconnecting.LONGEST_FIRST_FRAME_S", 0.05)
    monkeypatch.setattr("edge.camera.reconnecting.LONGEST_WAIT_S", 0.05)
    until, made = StopEvent(), []

    def connect() -> Camera:
        made.append(Scripted(hangs(until)))
        return made[-1]

    with ReconnectingCamera("camera T", connect, 50, first_frame_s=0.05) as camera:
        told = [came.code for came in news(camera, 4)]
        assert told == [Code.CAMERA_SILENT, Code.CAMERA_HUNG]
        busy = time.thread_time()
        assert list(news(camera, 0.5)) == []
        assert time.thread_time() - busy < 0.2, "it waits, and does not burn a core"
        assert len(made) == MOST_LEFT
        until.set()
        for _ in news(camera, 1):
            pass
        assert len(made) > MOST_LEFT, "as soon as they return it goes on"


def test_camera_that_starts_slowly_is_given_longer_each_time_and_then_as_long_as_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that once gives nothing is tried again soon; one that is slow is not tried for ever."""
    made: list[float] = []

    def slow() -> Camera:
        made.append(time.monotonic())
        began, step = time.monotonic(), fails("the cable is cut")

        def first() -> Frame:
            if time.monotonic() - began < 0.5:
                raise FrameTimeout("none yet")
            return picture(next(NUMBERS))

        return Scripted(*[first] * 80, step)

    monkeypatch.setattr("edge.camera.reconnecting.FIRST_FRAME_S", 0.2)
    with ReconnectingCamera("camera T", slow, 100, first_frame_s=0.2) as camera:
        assert codes(camera, Code.CAMERA_BACK) == [Code.CAMERA_SILENT, Code.CAMERA_BACK]
        tries = len(made)
        assert tries == 3, "0.2 s, 0.4, and 0.8 are enough"
        assert codes(camera, Code.CAMERA_BACK) == [Code.CAMERA_LOST, Code.CAMERA_BACK]
        assert len(made) == tries + 1, "it is known now how long that takes"


def test_camera_whose_frames_waited_to_be_read_is_not_taken_for_a_slow_one() -> None:
    """A line may wait for its subscribers for minutes after its camera was opened."""
    judged = Scripted(*[lambda: picture(next(NUMBERS))] * 20, fails("the cable is cut"))
    cameras = [judged, Scripted(*[_nothing] * 200)]
    connect = lambda: cameras.pop(0) if len(cameras) > 1 else cameras[0]  # noqa: E731
    with ReconnectingCamera("camera T", connect, 100, first_frame_s=0.2) as camera:
        time.sleep(1)
        start = time.monotonic()
        assert codes(camera, Code.CAMERA_SILENT) == [Code.CAMERA_LOST, Code.CAMERA_SILENT]
        assert time.monotonic() - start < 0.9


def _nothing() -> Frame:
    raise FrameTimeout("none yet")


def test_camera_repeated_frames_are_stale_from_the_first_on() -> None:
    same = picture(1)
    repeats = [lambda: same] * 5
    with watched(Scripted(*repeats, lambda: picture(2))) as camera:
        found = [came.code for came, _ in zip(news(camera), range(7), strict=False)]
    assert found == [Code.NONE, *[Code.STALE] * 4, Code.NONE, Code.NONE]


def test_camera_that_repeats_itself_for_too_long_is_connected_anew() -> None:
    """The new connection may begin with the frame that stood still; each frame has its event."""
    same, made = picture(1), count()

    def connect() -> Camera:
        return Scripted(*[lambda: same] * (5 if next(made) else 200))

    with ReconnectingCamera("camera T", connect, 300) as camera:
        told = list(news(camera, 2))
        told += camera.unfinished()
    assert next(made) == 2, "the second connection stays"
    assert [t.code for t in told if isinstance(t, CameraNotice)] == [Code.STALE, Code.CAMERA_BACK]
    frames = [f for f in told if isinstance(f, Frame)]
    assert camera.counters["stale"] == sum(f.code is Code.STALE for f in frames) > 3
    assert abs(camera.counters["received"] - len(frames)) <= 1, "one may be on its way at the end"


def test_camera_that_repeats_one_frame_between_slow_triggers_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    same = picture(1)
    slow = Scripted(lambda: same, lambda: time.sleep(1.2) or same)  # type: ignore[func-returns-value]
    with watched(slow, deadline_ms=None) as camera:
        found = [came.code for came, _ in zip(news(camera), range(4), strict=False)]
    assert found == [Code.NONE, Code.STALE, Code.NONE, Code.NONE]


def test_camera_that_comes_back_with_another_size_gives_no_verdict() -> None:
    first = Scripted(lambda: picture(1), fails("gone"))
    other = Scripted(*[lambda i=i: picture(i, side=9) for i in range(2, 5)])
    with watched(first, other) as camera:
        assert codes(camera, Code.CAMERA_BACK) == [
            Code.CAMERA_LOST,
            *[Code.FORMAT_CHANGED] * 3,
            Code.CAMERA_BACK,
        ]
    assert camera.counters["wrong_format"] == 3


def test_camera_incomplete_frames_are_counted_and_end_no_outage() -> None:
    nameless = Frame(np.zeros((0, 0, 3), np.uint8), 0, 0, code=Code.INCOMPLETE)
    broken = [lambda: picture(5, code=Code.INCOMPLETE), lambda: nameless]
    with watched(Scripted(fails("gone")), Scripted(*broken)) as camera:
        found = codes(camera, Code.CAMERA_BACK)
    assert found == [Code.CAMERA_LOST, Code.INCOMPLETE, Code.INCOMPLETE, Code.CAMERA_BACK]
    assert camera.counters["incomplete"] == 2


def test_camera_that_refuses_its_settings_on_return_is_told_so() -> None:
    def refuse() -> Camera:
        raise SettingsRefused("the camera keeps gain 3, and 1 was asked")

    connects: list[Callable[[], Camera]] = [lambda: Scripted(fails("gone")), refuse, Scripted]
    with ReconnectingCamera("camera T", lambda: connects.pop(0)(), 300) as camera:
        assert codes(camera, Code.CAMERA_BACK) == [
            Code.CAMERA_LOST,
            Code.CAMERA_SETTINGS,
            Code.CAMERA_BACK,
        ]


def test_camera_that_is_not_there_at_the_start_is_an_error() -> None:
    def connect() -> Camera:
        raise CameraError("no such camera")

    with pytest.raises(CameraError, match="no such camera"):
        ReconnectingCamera("camera T", connect, 300)


def test_camera_programming_errors_are_not_lost() -> None:
    def bug() -> Frame:
        raise ZeroDivisionError("bug")

    with watched(Scripted(bug)) as camera, pytest.raises(ZeroDivisionError):
        list(news(camera, 2))


def test_camera_threads_end_with_it() -> None:
    before = threading.active_count()
    with watched(Scripted(*[fails("gone")] * 3), Scripted()) as camera:
        codes(camera, Code.CAMERA_BACK)
    assert threading.active_count() == before


def test_camera_that_is_away_ends_triggers_without_a_picture() -> None:
    ties = TriggerMatching(100)
    with watched(Scripted(fails("gone")), Scripted(*[fails("gone")] * 99), ties=ties) as camera:
        assert codes(camera, Code.CAMERA_LOST)
        camera.trigger(Trigger(7, 700, "p"))
        frame = next(news(camera))
        assert isinstance(frame, Frame)
        assert (frame.trigger_id, frame.encoder, frame.part_id) == (7, 700, "p")
        assert frame.code is Code.CAMERA_LOST


def test_camera_that_is_lost_ends_the_trigger_that_was_under_way() -> None:
    ties = TriggerMatching(60_000)
    assert ties.ask(Trigger(5))
    with watched(Scripted(fails("gone")), Scripted(*[fails("gone")] * 99), ties=ties) as camera:
        assert codes(camera, Code.CAMERA_LOST)
        frame = next(news(camera))
        assert isinstance(frame, Frame)
        assert (frame.trigger_id, frame.code) == (5, Code.CAMERA_LOST)


def test_camera_that_is_being_connected_ends_triggers_at_once() -> None:
    """A connection to a camera that hangs takes seconds; the part is past by then."""
    until, ties = StopEvent(), TriggerMatching(100)

    def slow() -> Camera:
        until.wait(10)
        raise CameraError("no answer")

    connects: list[Callable[[], Camera]] = [lambda: Scripted(fails("gone")), *[slow] * 9]
    with ReconnectingCamera("camera T", lambda: connects.pop(0)(), None, ties=ties) as camera:
        assert codes(camera, Code.CAMERA_LOST)
        wait_for(lambda: read_nothing(camera) and len(connects) == 8)
        camera.trigger(Trigger(7))
        start = time.monotonic()
        frame = next(news(camera))
        assert (frame.trigger_id, frame.code) == (7, Code.CAMERA_LOST)  # type: ignore[union-attr]
        assert time.monotonic() - start < 0.5
        until.set()


def read_nothing(camera: ReconnectingCamera) -> bool:
    with pytest.raises(FrameTimeout):
        camera.read()
    return True


def test_camera_triggers_that_are_under_way_at_the_end_have_their_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One waits for its picture, one was refused behind it: both are told before `stopped`."""

    class Silent(Scripted):
        def read(self) -> Frame:
            time.sleep(0.01)
            raise FrameTimeout("none")

        def trigger(self, trigger: Trigger) -> None:
            ties.ask(trigger)

    ties, stop = TriggerMatching(60_000), StopEvent()
    camera = watched(Silent(), deadline_ms=None, ties=ties)
    with camera, Journal(tmp_path, "process") as journal:
        camera.trigger(Trigger(1))
        camera.trigger(Trigger(2))
        timer = threading.Timer(0.3, stop.set)
        timer.start()
        run(
            camera,
            MeanEngine(),
            EventWriter("s", PRODUCT, journal, Nobody()),
            stop,
            Pace(True, 300),
        )
        timer.join()
        camera.trigger(Trigger(3))  # the control socket is closed a moment later
    assert "trigger 3 came after the line had stopped" in caplog.text
    with LogReader(tmp_path) as log:
        told = [decode(message).header for message in log.page(0, 100)]
    ended = [(i.trigger_id, i.code.name) for i in told if isinstance(i, Inspection)]
    assert ended == [(1, "stopped"), (2, "overrun")]


def test_camera_trigger_that_waits_at_the_end_is_named(caplog: pytest.LogCaptureFixture) -> None:
    until = StopEvent()

    class Hanging(Scripted):
        def trigger(self, trigger: Trigger) -> None:
            until.wait(5)

    with (
        watched(Hanging(), ties=TriggerMatching(1000)) as camera,
        SoftwareTriggers(camera) as asked,
    ):
        asked.ask(Trigger(1))
        asked.ask(Trigger(2))
    until.set()
    assert "trigger 2 was not given any more" in caplog.text


def test_camera_that_refused_is_let_go_of() -> None:
    """What was told of it must not keep its object, or it could never be opened again."""
    held: list[weakref.ref[Scripted]] = []

    def refuse() -> Camera:
        device = Scripted()
        held.append(weakref.ref(device))
        raise SettingsRefused("gain")

    connects: list[Callable[[], Camera]] = [lambda: Scripted(fails("gone")), refuse, Scripted]
    with ReconnectingCamera("camera T", lambda: connects.pop(0)(), 300) as camera:
        told = []
        for came in news(camera):
            told.append(came)
            if came.code is Code.CAMERA_BACK:
                break
        assert len(told) == 3
        assert held[0]() is None


def test_camera_without_trigger_says_so() -> None:
    with watched(Scripted()) as camera, pytest.raises(CameraError, match="add trigger=software"):
        camera.trigger(Trigger(1))


class Slow(Scripted):
    """A camera that takes its time over a command."""

    def trigger(self, trigger: Trigger) -> None:
        time.sleep(2 * LATEST_S)


def test_camera_is_not_triggered_for_a_part_that_has_passed() -> None:
    ties = TriggerMatching(1000)
    with watched(Slow(), ties=ties) as camera, SoftwareTriggers(camera) as asked:
        asked.ask(Trigger(1))
        asked.ask(Trigger(2, part_id="late"))
        wait_for(lambda: getattr(ties.ended(), "part_id", "") == "late", 5)


def test_camera_that_fails_a_trigger_is_given_the_next(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Scripted):
        def trigger(self, trigger: Trigger) -> None:
            raise CameraError("no such command")

    ties = TriggerMatching(1000)
    with watched(Failing(), ties=ties) as camera, SoftwareTriggers(camera) as asked:
        asked.ask(Trigger(1))
        asked.ask(Trigger(2))
        wait_for(lambda: "trigger 2 could not be given" in caplog.text, 5)
        wait_for(lambda: len(ties._ended) == 2)
    told = [frame.trigger_id for frame in iter(ties.ended, None)]
    assert told == [1, 2], "each part has its event"


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def at(ns: int) -> Frame:
    return Frame(np.ones((2, 2), np.uint8), 1, ns)


def test_camera_trigger_ties_take_only_frames_that_came_after_the_trigger() -> None:
    clock = Clock()
    ties = TriggerMatching(100, clock)
    clock.now = 1000
    assert ties.ask(Trigger(1))
    assert ties.tie(at(999)).code is Code.UNTIED
    assert ties.tie(at(1001)).trigger_id == 1
    assert ties.tie(at(1002)).code is Code.UNTIED, "nobody asked for that one"


def test_camera_frame_that_comes_after_the_deadline_is_not_tied() -> None:
    clock = Clock()
    ties = TriggerMatching(100, clock)
    assert ties.ask(Trigger(1))
    ties.answered(Trigger(1), 0)
    clock.now = 100_000_001
    assert ties.tie(at(100_000_001)).code is Code.UNTIED, "of another part, perhaps"
    assert [(f.trigger_id, f.code) for f in [ties.ended()] if f] == [(1, Code.TRIGGER_LOST)]
    assert ties.resync


def test_camera_frame_of_a_command_that_is_not_answered_in_time_is_not_tied(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever is first to run, the one that reads or the one that triggers."""
    clock = Clock()
    ties = TriggerMatching(1000, clock)
    for number, answered_ms in enumerate((49, 51)):
        asked_ns, trigger = clock.now, Trigger(number)
        assert ties.ask(trigger)
        early = ties.tie(at(asked_ns + 60_000_000))
        assert early.code is Code.UNTIED, "it may be of a command that was sent again"
        clock.now += answered_ms * 1_000_000
        ties.answered(trigger, asked_ns)
        late = ties.tie(at(asked_ns + 60_000_000))
        assert (late.trigger_id, late.code) == ((0, Code.NONE), (None, Code.UNTIED))[number]
    assert [(f.trigger_id, f.code) for f in [ties.ended()] if f] == [(1, Code.OVERRUN)]
    assert ties.resync
    assert "the command of trigger 1 only after 51 ms" in caplog.text


def test_camera_trigger_that_gets_no_frame_ends_and_the_camera_starts_anew() -> None:
    clock = Clock()
    ties = TriggerMatching(100, clock)
    assert ties.ask(Trigger(1))
    assert not ties.ask(Trigger(2)), "one is under way"
    assert ties.ended() is None, "its frame may still come, and 2 comes after it"
    clock.now = 100_000_001
    ended = [ties.ended(), ties.ended()]
    assert [(f.trigger_id, f.code) for f in ended if f] == [
        (1, Code.TRIGGER_LOST),
        (2, Code.OVERRUN),
    ]
    assert ties.resync
    assert not ties.ask(Trigger(3)), "until the camera has started anew"
    ties.resync = False
    assert ties.ask(Trigger(4))


def test_camera_triggers_beyond_the_longest_queue_are_counted_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each time that the queue fills up is one line in the log, however many are dropped."""
    ties = TriggerMatching(1000, Clock())
    assert ties.ask(Trigger(0)), "under way, so that the others wait behind it"
    for first in (1, 5001):
        for number in range(first, first + LONGEST_QUEUE + 7):
            ties.ask(Trigger(number))
        assert f"from trigger {first + LONGEST_QUEUE} on they are dropped" in caplog.text
        ties.give_up(Code.TRIGGER_LOST)
        told = [frame.trigger_id for frame in iter(ties.ended, None)]
        assert told[-LONGEST_QUEUE:] == list(range(first, first + LONGEST_QUEUE))
        assert ties.ask(Trigger(first - 1))
    assert ties.dropped == 14
    assert len(caplog.records) == 2


def test_camera_that_is_away_counts_the_triggers_it_had_no_room_for() -> None:
    ties = TriggerMatching(100)
    with watched(Scripted(fails("gone")), Scripted(*[fails("gone")] * 99), ties=ties) as camera:
        assert codes(camera, Code.CAMERA_LOST)
        for number in range(LONGEST_QUEUE + 2):
            camera.trigger(Trigger(number))
        told = [came.trigger_id for came in islice(news(camera), LONGEST_QUEUE)]  # type: ignore[union-attr]
        assert told == list(range(LONGEST_QUEUE))
        assert camera.counters["triggers_dropped"] == 2


def test_camera_that_was_just_started_takes_no_trigger_yet() -> None:
    clock = Clock()
    ties = TriggerMatching(100, clock)
    ties.settle(0.1)
    clock.now = 99_000_000
    assert not ties.ask(Trigger(1))
    clock.now = 101_000_000
    assert ties.ask(Trigger(2))
    assert [f.code for f in [ties.ended()] if f] == [Code.OVERRUN]


def test_camera_giving_up_an_old_trigger_spares_the_new_one() -> None:
    ties = TriggerMatching(100)
    assert ties.ask(Trigger(2))
    ties.give_up(Code.CAMERA_LOST, Trigger(1))
    assert ties.ended() is None


def judged(folder: Path, camera: Camera, product: Product) -> list[tuple[str, str]]:
    """Verdict and code of each frame, and the faults between them, until `camera` ends it."""
    stop = StopEvent()
    with Journal(folder, "process") as journal:
        stream = EventWriter("s", product, journal, Nobody())
        with pytest.raises(ZeroDivisionError):
            run(camera, MeanEngine(), stream, stop, Pace(True, 300, 50))
    with LogReader(folder) as log:
        told = [decode(message).header for message in log.page(0, 100)]
    return [
        (header.verdict if isinstance(header, Inspection) else "fault", header.code.name)
        for header in told
        if isinstance(header, Inspection | Fault)
    ]


def flat(gray: int) -> Step:
    return lambda: Frame(np.full((8, 8), gray, np.uint8), next(NUMBERS), time.monotonic_ns())


def end() -> Frame:
    raise ZeroDivisionError("the script has ended")


@pytest.mark.parametrize("calibrated", [True, False])
def test_camera_that_comes_back_too_dark_gives_no_verdict(tmp_path: Path, calibrated: bool) -> None:
    """From the first frame on, and until the light is back; without a calibration there is none."""
    product = calibrated_for(brightness=Range(low=50, high=255))
    if not calibrated:
        product = replace(product, calibration=None)
    first = Scripted(flat(100), flat(200), fails("gone"))
    second = Scripted(flat(10), flat(11), flat(12), flat(101), flat(201), end)
    with watched(first, second) as camera:
        told = judged(tmp_path, camera, product)
    verdicts = [came for came in told if came[0] != "fault"]
    faults = [came[1] for came in told if came[0] == "fault"]
    assert faults == ["camera_lost", "camera_back", "internal"]
    if calibrated:
        assert verdicts == [
            ("OK", "none"),
            ("NG", "none"),
            *[("NO_VERDICT", "brightness")] * 3,
            ("OK", "none"),
            ("NG", "none"),
        ]
    else:
        assert verdicts == [("NO_VERDICT", "uncalibrated")] * 7


def test_camera_file_whose_read_hangs_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file on a share that is gone: the loop goes on, tells it, and ends when it is told to."""
    monkeypatch.setattr("edge.station.loop.FILE_MS", 300)
    until = StopEvent()

    class File(Scripted):
        live = False

    with Journal(tmp_path, "process") as journal:
        stop, stream = StopEvent(), EventWriter("s", PRODUCT, journal, Nobody())
        script = File(lambda: picture(1), hangs(until))
        timer = threading.Timer(1.0, stop.set)
        timer.start()
        start = time.monotonic()
        run(script, MeanEngine(), stream, stop, Pace(True, 100))
        assert time.monotonic() - start < 4
    until.set()
    timer.join()
    with LogReader(tmp_path) as log:
        told = [decode(message).header for message in log.page(0, 100)]
    kinds = [header.code.name for header in told if isinstance(header, Fault)]
    assert set(kinds) == {"frame_timeout"}
    assert any(isinstance(header, Inspection) for header in told)


class Nobody:
    """Nobody listens."""

    def send(self, parts: list[bytes]) -> None:
        pass


def test_camera_frames_without_a_picture_are_never_replaced() -> None:
    slot, stop = FrameQueue(live=True, backlog=0), StopEvent()
    blank = Frame(np.zeros((0, 0, 3), np.uint8), 2, 0, code=Code.INCOMPLETE)
    for frame in (picture(1), blank, picture(3), blank, picture(5)):
        slot.put(frame, stop)
    taken = [t for t in (slot.take(0) for _ in range(5)) if t]
    assert [(t.frame.frame_id, t.passed_over) for t in taken] == [(2, 0), (2, 0), (5, 2)]
