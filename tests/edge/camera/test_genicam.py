"""A real GigE Vision camera on loopback: read, set, triggered, killed, frozen, losing packets."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.base.errors import CameraError
from edge.camera import FrameTimeout, SettingsRefused
from edge.camera.genicam.aravis import find
from edge.camera.genicam.camera import GenicamCamera
from edge.camera.genicam.camera_settings import parse
from edge.camera.genicam.pixel_formats import FORMATS
from edge.camera.open import open_camera
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.trigger_matching import LATEST_S, Trigger
from edge.events.client import RequestClient, service_endpoint
from edge.events.control_messages import Health, Request, TriggerRequest
from edge.events.event import Code, Inspection
from edge.vision.calibration import Range
from edge.vision.frame import Frame
from tests.conftest import draem
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for
from tests.support.minimal_station import calibrated_for
from tests.support.running_station import Running

pytestmark = needs_genicam


@pytest.fixture
def gige() -> Iterator[FakeGige]:
    with FakeGige() as camera:
        yield camera


def opened(source: str) -> GenicamCamera:
    """As soon as the process is up."""
    for _ in range(10):
        try:
            return GenicamCamera(parse(source))
        except SettingsRefused:
            raise
        except CameraError:
            time.sleep(0.05)
    raise AssertionError("the camera does not come up")


def health(station: CameraStation) -> Health:
    with RequestClient(service_endpoint(station.endpoint, "control"), None, "--control") as asking:
        return Health.model_validate_json(asking.ask(Request(request="health"))[0])


def read(camera: GenicamCamera, count: int) -> list[Frame]:
    found: list[Frame] = []
    end = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < end
        try:
            found.append(camera.read())
        except FrameTimeout:
            continue
    return found


@pytest.mark.parametrize(
    ("pixel_format", "shape"),
    [("Mono8", (200, 320)), ("Mono16", (200, 320)), ("RGB8", (200, 320, 3))]
    + [(f"Bayer{order}8", (200, 320, 3)) for order in ("RG", "GR", "GB", "BG")],
)
def test_genicam_frames_with_ids_times_and_the_asked_settings(
    gige: FakeGige, pixel_format: str, shape: tuple[int, ...]
) -> None:
    source = gige.source(
        pixel_format=pixel_format, x=16, y=8, width=320, height=200, frame_rate=50, gain=1,
        exposure_us=4000, packet_size=1400,
    )  # fmt: skip
    with opened(source) as camera:
        before = time.monotonic_ns()
        found = read(camera, 20)
    whole = [frame for frame in found if frame.code is Code.NONE]
    assert len(whole) > 15, "a busy machine may lose a packet"
    assert {frame.image.shape for frame in whole} == {shape}
    assert all(frame.image.std() > 0 for frame in whole)
    ids = [frame.frame_id for frame in whole]
    assert ids == sorted(set(ids))
    assert ids[-1] - ids[0] < 20
    captured = [frame.captured_ns for frame in found]
    assert captured == sorted(captured)
    assert before - 1e9 < captured[0] < time.monotonic_ns()
    ticks = [frame.camera_ns for frame in whole if frame.camera_ns is not None]
    assert 10e6 < (ticks[-1] - ticks[0]) / (ids[-1] - ids[0]) < 40e6, (
        "the camera's own clock, at 50 a second"
    )


def test_genicam_packet_size_that_was_asked_for_is_kept(gige: FakeGige) -> None:
    with opened(gige.source(packet_size=1400)) as camera:
        read(camera, 3)
        never = camera._library.GvPacketSizeAdjustment.NEVER
        assert camera._device.get_property("packet-size-adjustment") == never
        assert camera._camera.gv_get_packet_size() == 1400


def test_genicam_format_that_cannot_be_judged_is_told_at_the_start(
    gige: FakeGige, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(gige.source()).close()
    monkeypatch.delitem(FORMATS, 0x01080001)
    with pytest.raises(SettingsRefused, match="pixel format 0x01080001 is not known"):
        open_camera(gige.source(), triggered=False)


def test_genicam_is_found_by_its_id_too(gige: FakeGige) -> None:
    with opened(f"genicam://Aravis-Fake-{gige.serial}") as camera:
        assert read(camera, 3)
    listed = draem("cameras", cwd=Path.cwd())
    assert f"Aravis-Fake-{gige.serial}  GigEVision" in listed.stdout
    assert f"free  --source genicam://{gige.address}" in listed.stdout


def test_genicam_camera_in_use_is_told_and_not_disturbed(gige: FakeGige) -> None:
    with opened(gige.source()) as camera:
        read(camera, 1)
        with pytest.raises(CameraError, match="in use by another program"):
            GenicamCamera(parse(gige.source()))
        state = {found.address: found.state for found in find()}
        assert state[gige.address] == "in use by another program"
        assert read(camera, 20)


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("exposure_us", 1, "refuses exposure_us 1.0"),
        ("pixel_format", "Mono12p", "pixel_format Mono12p"),
        ("gain", 99, "refuses gain 99.0"),
        ("exposure_us", 10.4, "keeps exposure_us 10.0, and 10.4 was asked"),
        ("chunks", "ExposureTime", "refuses chunk mode True"),
    ],
)
def test_genicam_setting_that_the_camera_does_not_take_is_named(
    gige: FakeGige, setting: str, value: object, says: str
) -> None:
    with pytest.raises(SettingsRefused, match=says):
        opened(gige.source(**{setting: value}))


@pytest.mark.parametrize(
    ("query", "triggered", "says"),
    [
        ("genicam://", False, "names no camera"),
        ("genicam://x?exposure=5", False, "no option 'exposure', there are .*exposure_us"),
        ("genicam://x?width=5", False, "a region needs"),
        ("genicam://x?trigger=hardware", False, "add --mode triggered"),
        ("genicam://x", True, "trigger=hardware"),
        ("genicam://no-such-camera", False, "no camera 'no-such-camera' answers"),
    ],
)
def test_genicam_addresses_that_cannot_be(query: str, triggered: bool, says: str) -> None:
    with pytest.raises(CameraError, match=says):
        open_camera(query, triggered=triggered)


def test_genicam_outages_are_told_in_time_bounded_and_mended(
    gige: FakeGige, tmp_path: Path
) -> None:
    """Killed, killed again, and frozen: the station goes on without a restart."""
    station = CameraStation(tmp_path, gige.source(frame_rate=30))
    try:
        for strike in ("kill", "kill", "freeze"):
            before, judged = len(station.faults()), station.verdicts()
            wait_for(lambda b=judged: station.verdicts() > b + 10)  # type: ignore[misc]
            gige.kill() if strike == "kill" else gige.freeze()
            took = wait_for(lambda b=before: len(station.faults()) > b, 3)  # type: ignore[misc]
            assert took < 1.1, f"{strike}: told after {took:.2f} s"
            wait_for(lambda: health(station).state == "fault", 1)
            assert health(station).outage in ("camera_lost", "camera_silent")
            if strike == "freeze":
                time.sleep(3.5)  # longer than the camera keeps its controller
            judged = station.verdicts()
            gige.restart() if strike == "kill" else gige.thaw()
            took = wait_for(lambda b=judged: station.verdicts() > b)  # type: ignore[misc]
            assert took < 3, f"{strike}: back after {took:.2f} s"
            wait_for(lambda: health(station).state == "running", 1)
        names = station.fault_names()
        assert names[1::2] == ["camera_back"] * 3
        assert set(names[::2]) <= {"camera_lost", "camera_silent"}, "whichever is seen first"
        assert isinstance(station.camera, ReconnectingCamera)
        counted = station.controls.camera
        assert (counted["outages"], counted["reconnected"], counted["stale"]) == (3, 3, 0)
    finally:
        station.close()
    assert station.error is None
    assert counted["received"] == len(station.inspections()) + station.controls.passed_over


def test_genicam_incomplete_frames_are_never_judged_and_whole_ones_are(tmp_path: Path) -> None:
    with FakeGige(lost_per_thousand=3) as gige:
        station = CameraStation(tmp_path, gige.source(frame_rate=30))
        try:
            wait_for(lambda: len(station.inspections()) >= 60, 20)
        finally:
            station.close()
    told = [i for i in station.inspections() if i.code.name != "stopped"]
    codes = {i.code.name for i in told}
    assert codes <= {"none", "incomplete"}
    assert "incomplete" in codes
    for inspection in told:
        whole = inspection.code.name == "none"
        assert (inspection.verdict == "NO_VERDICT") is not whole
    counted = station.controls.camera
    assert counted["incomplete"] == sum(i.code.name == "incomplete" for i in told)


def test_genicam_received_and_lost_add_up_to_what_was_sent(tmp_path: Path) -> None:
    """With so many packets lost whole frames are missing: the ids tell them."""
    with (
        FakeGige(lost_per_thousand=600) as gige,
        opened(gige.source(x=0, y=0, width=512, height=4)) as camera,
    ):
        found = read(camera, 30)
        while not camera.ids.lost and len(found) < 600:  # one frame in eight is lost whole
            found += read(camera, 30)
        known = [i for i, frame in enumerate(found) if frame.frame_id]
        between = found[known[0] : known[-1] + 1]
        assert len(known) < len(found), "some lose their first packet, and with it their id"
        sent = between[-1].frame_id - between[0].frame_id + 1
        assert camera.ids.lost == sent - len(between)
        assert camera.ids.lost > 0


def test_genicam_software_triggers_are_tied_to_their_frames(gige: FakeGige, tmp_path: Path) -> None:
    source = gige.source(trigger="software", trigger_deadline_ms=400)
    station = CameraStation(tmp_path, source, triggered=True)
    camera = station.camera
    assert isinstance(camera, ReconnectingCamera)

    def ended(trigger_id: int) -> Inspection:
        told: list[Inspection] = []

        def there() -> bool:
            told[:] = [i for i in station.inspections() if i.trigger_id == trigger_id]
            return bool(told)

        wait_for(there)
        return told[0]

    try:
        time.sleep(1.2)  # silence is no fault here
        assert station.faults() == []
        for number in (1, 2, 3):
            camera.trigger(Trigger(number, 100 * number, f"part-{number}"))
            told = ended(number)
            assert (told.verdict != "NO_VERDICT", told.encoder) == (True, 100 * number)
            assert (told.part_id, told.frame_id > 0) == (f"part-{number}", True)
        for number in (4, 5, 6):  # faster than the camera: 5 and 6 come while 4 is under way
            camera.trigger(Trigger(number))
        assert ended(4).code.name == "none"
        assert {ended(5).code.name, ended(6).code.name} == {"overrun"}
        gige.freeze()
        camera.trigger(Trigger(7))
        assert ended(7).code.name in ("trigger_lost", "camera_lost")
        wait_for(lambda: station.fault_names() == ["camera_lost"], 3)
        camera.trigger(Trigger(8))
        assert ended(8).code.name == "camera_lost"
        gige.thaw()
        wait_for(lambda: station.fault_names() == ["camera_lost", "camera_back"])
        time.sleep(0.2)  # a picture that was begun before would be untied
        camera.trigger(Trigger(9))
        assert ended(9).code.name == "none", "and not the frame of 7, which may come late"
    finally:
        station.close()
    told_of = [i for i in station.inspections() if i.code.name != "untied"]
    assert [i.trigger_id for i in told_of] == list(range(1, 10))
    assert station.error is None


def test_genicam_hardware_trigger_may_be_silent_and_its_loss_is_told(
    gige: FakeGige, tmp_path: Path
) -> None:
    """The simulated camera has no line to pull: only silence and liveness can be seen here."""
    station = CameraStation(tmp_path, gige.source(trigger="hardware"), triggered=True)
    try:
        time.sleep(1.5)
        assert station.faults() == []
        gige.freeze()
        took = wait_for(lambda: station.fault_names() == ["camera_lost"], 3)
        assert took < 1.1
        gige.thaw()
        wait_for(lambda: station.fault_names() == ["camera_lost", "camera_back"])
    finally:
        station.close()


def test_genicam_two_cameras_at_once_do_not_mix() -> None:
    with FakeGige() as one:
        if one.address == "127.0.0.1":
            pytest.skip("a second camera needs a loopback address of its own: run as root")
        with FakeGige() as two:
            wide, narrow = (
                one.source(width=300, height=100, x=0, y=0),
                two.source(width=100, height=300, x=0, y=0),
            )
            with opened(wide) as first, opened(narrow) as second:
                assert {f.image.shape for f in read(first, 10)} == {(100, 300)}
                assert {f.image.shape for f in read(second, 10)} == {(300, 100)}


def test_genicam_size_that_another_program_changed_is_not_judged(
    gige: FakeGige, tmp_path: Path
) -> None:
    station = CameraStation(tmp_path, gige.source())
    try:
        wait_for(lambda: station.verdicts() > 3)
        gige.kill()
        wait_for(lambda: station.fault_names() == ["camera_lost"], 3)
        assert isinstance(station.camera, ReconnectingCamera)
        station.camera._connect = lambda: GenicamCamera(
            parse(gige.source(x=0, y=0, width=256, height=256))
        )
        gige.restart()
        wait_for(lambda: station.inspections()[-1].code.name == "format_changed")
        assert station.fault_names() == ["camera_lost"], "it is not back yet"
        assert station.inspections()[-1].verdict == "NO_VERDICT"
    finally:
        station.close()


def test_genicam_that_comes_back_too_dark_gives_no_verdict_until_the_light_is_back(
    gige: FakeGige, tmp_path: Path
) -> None:
    """A gain that the address does not name is lost with the camera's power."""
    station = CameraStation(
        tmp_path, gige.source(), product=calibrated_for(brightness=Range(low=160, high=250))
    )

    def device() -> Any:
        assert isinstance(station.camera, ReconnectingCamera)
        assert station.camera._reader is not None
        return getattr(station.camera._reader.camera, "_camera", None)

    try:
        device().set_gain(2)
        wait_for(lambda: station.verdicts() > 5)
        gige.kill()
        wait_for(lambda: station.fault_names() == ["camera_lost"], 3)
        before = len(station.inspections())
        gige.restart()
        wait_for(lambda: station.fault_names() == ["camera_lost", "camera_back"])
        wait_for(lambda: len(station.inspections()) > before + 10)
        device().set_gain(2)
        wait_for(lambda: station.inspections()[-1].verdict != "NO_VERDICT")
    finally:
        station.close()
    dark = station.inspections()[before : before + 10]
    assert {(i.verdict, i.code.name) for i in dark} == {("NO_VERDICT", "brightness")}
    assert station.fault_names() == ["camera_lost", "camera_back"], "the camera itself is well"


def test_genicam_settings_refused_on_return_are_told_and_tried_again(
    gige: FakeGige, tmp_path: Path
) -> None:
    """A refused connection lets go of the camera: the next one finds it free."""
    station = CameraStation(tmp_path, gige.source())
    sources = [gige.source(gain=99)] * 3 + [gige.source()]
    try:
        wait_for(lambda: station.verdicts() > 3)
        assert isinstance(station.camera, ReconnectingCamera)
        station.camera._connect = lambda: GenicamCamera(
            parse(sources.pop(0) if len(sources) > 1 else sources[0])
        )
        gige.kill()
        wait_for(lambda: station.fault_names() == ["camera_lost"], 3)
        gige.restart()
        wait_for(lambda: station.fault_names()[-1] == "camera_back", 20)
        assert station.fault_names() == ["camera_lost", "camera_settings", "camera_back"]
    finally:
        station.close()


def test_genicam_in_draem_run_wrong_addresses_are_one_line(tmp_path: Path) -> None:
    done = draem("collect", "--source", "genicam://192.0.2.77?gain=x", "--to", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "gain" in done.stderr
    assert "Traceback" not in done.stderr


def test_genicam_frames_are_collected(gige: FakeGige, tmp_path: Path) -> None:
    time.sleep(0.3)
    source = gige.source(frame_rate=4)
    done = draem("collect", "--source", source, "--to", "x", "--frames", "5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "x").glob("*.png"))) == 5


class Late:
    """A camera whose command was sent again: it takes its time over a trigger."""

    def __init__(self, device: Any) -> None:
        self.device, self.took = device, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.device, name)

    def software_trigger(self) -> None:
        time.sleep(2 * LATEST_S)
        self.device.software_trigger()
        self.took += 1


def test_genicam_command_that_was_late_is_no_picture_of_its_part(
    gige: FakeGige, tmp_path: Path
) -> None:
    source = gige.source(trigger="software", trigger_deadline_ms=400)
    station = CameraStation(tmp_path, source, triggered=True)
    steady: Any = station.camera

    def codes() -> list[tuple[int | None, str]]:
        return [(i.trigger_id, i.code.name) for i in station.inspections() if i.trigger_id]

    try:
        time.sleep(1.2)  # the camera has just been started
        camera = steady._reader.camera
        late = camera._camera = Late(camera._camera)
        steady.trigger(Trigger(1))
        wait_for(lambda: bool(codes()))
        camera._camera = late.device
        time.sleep(1.2)  # it is started anew
        steady.trigger(Trigger(2))
        wait_for(lambda: len(codes()) == 2)
    finally:
        station.close()
    assert codes() == [(1, "overrun"), (2, "none")]
    assert late.took == 1


def test_genicam_triggers_come_over_the_control_socket(gige: FakeGige, tmp_path: Path) -> None:
    """As a bridge sends them: the ids come back, what cannot be given in time takes no picture."""
    source = gige.source(trigger="software", trigger_deadline_ms=400)
    station = CameraStation(tmp_path, source, triggered=True)

    def ended() -> dict[int | None, Inspection]:
        return {i.trigger_id: i for i in station.inspections()}

    try:
        with RequestClient(
            service_endpoint(station.endpoint, "control"), None, "--control"
        ) as asking:
            time.sleep(1.2)  # the camera has just been started
            for number in (1, 2, 3):
                asked = TriggerRequest(trigger_id=number, encoder=-number, part_id=f"part {number}")
                assert b'"reply":"trigger"' in asking.ask(asked)[0]
                wait_for(lambda n=number: n in ended())  # type: ignore[misc]
            for number in (1, 2, 3):
                told = ended()[number]
                assert (told.verdict != "NO_VERDICT", told.encoder) == (True, -number)
                assert told.part_id == f"part {number}"
            gige.freeze()
            for number in range(4, 9):
                start = time.monotonic()
                asking.ask(TriggerRequest(trigger_id=number))
                asking.ask(Request(request="health"))
                assert time.monotonic() - start < 1, "a hanging camera hangs nobody else"
                time.sleep(0.1)
            gige.thaw()
            wait_for(lambda: set(range(1, 9)) <= set(ended()), 20)
            assert all(ended()[n].verdict == "NO_VERDICT" for n in range(4, 9))
            # A late frame is of no trigger: a command that was sent again makes one more.
            ids = [i.trigger_id for i in station.inspections() if i.trigger_id is not None]
            assert sorted(set(ids), key=ids.index) == ids, "each trigger is told once"
    finally:
        station.close()


def test_camera_that_triggers_itself_takes_no_triggers(tmp_path: Path) -> None:
    station = Running(tmp_path)
    try:
        with RequestClient(
            service_endpoint(station.endpoint, "control"), None, "--control"
        ) as asking:
            refused = asking.ask(TriggerRequest(trigger_id=1))[0]
        assert b"not triggered by the program" in refused
    finally:
        station.close()
