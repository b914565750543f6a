"""A real GigE Vision camera on loopback: found, set, read, and losing packets."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edge.base.errors import CameraError
from edge.camera import FrameTimeout, SettingsRefused
from edge.camera.genicam.aravis import find_cameras
from edge.camera.genicam.camera import GenicamCamera
from edge.camera.genicam.camera_settings import parse
from edge.camera.genicam.configure import apply
from edge.camera.genicam.pixel_formats import FORMATS
from edge.camera.open import open_camera
from edge.events.codes import Code
from edge.vision.frame import Frame
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for
from tests.support.commands import draem_in_process

pytestmark = needs_genicam


@pytest.fixture(scope="module")
def gige() -> Iterator[FakeGige]:
    """One for all tests of this file: each of them leaves it running, and closes its connection."""
    with FakeGige() as camera:
        yield camera


def opened(source: str) -> GenicamCamera:
    return GenicamCamera(parse(source))


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


def test_frames_have_ids_and_times_and_the_size_asked_for(gige: FakeGige) -> None:
    source = gige.source(
        pixel_format="Mono8", x=16, y=8, width=320, height=200, frame_rate=50, gain=1,
        exposure_us=4000, packet_size=1400,
    )  # fmt: skip
    with opened(source) as camera:
        before = time.monotonic_ns()
        found = read(camera, 20)
    whole = [frame for frame in found if frame.code is Code.NONE]
    assert len(whole) > 15, "a busy machine may lose a packet"
    assert {frame.image.shape for frame in whole} == {(200, 320)}
    ids = [frame.frame_id for frame in whole]
    assert ids == sorted(set(ids))
    assert ids[-1] - ids[0] < 20
    captured = [frame.captured_ns for frame in found]
    assert captured == sorted(captured)
    assert before - 1e9 < captured[0] < time.monotonic_ns()
    ticks = [frame.camera_ns for frame in whole if frame.camera_ns is not None]
    took_ns = whole[-1].captured_ns - whole[0].captured_ns
    assert 0.5 < (ticks[-1] - ticks[0]) / took_ns < 2, "the camera's clock, in nanoseconds"


@pytest.mark.parametrize(
    ("pixel_format", "shape"),
    [("Mono8", (100, 128)), ("Mono16", (100, 128)), ("RGB8", (100, 128, 3))]
    + [(f"Bayer{order}8", (100, 128, 3)) for order in ("RG", "GR", "GB", "BG")],
)
def test_pixel_formats_of_a_real_camera(
    gige: FakeGige, pixel_format: str, shape: tuple[int, ...]
) -> None:
    source = gige.source(pixel_format=pixel_format, width=128, height=100, frame_rate=50)
    with opened(source) as camera:
        whole = [frame for frame in read(camera, 5) if frame.code is Code.NONE]
    assert {frame.image.shape for frame in whole} == {shape}
    assert all(frame.image.std() > 0 for frame in whole)


def test_the_packet_size_asked_for_is_kept(gige: FakeGige) -> None:
    with opened(gige.source(packet_size=1400)) as camera:
        read(camera, 1)
        never = camera._library.GvPacketSizeAdjustment.NEVER
        assert camera._device.get_property("packet-size-adjustment") == never
        assert camera._camera.gv_get_packet_size() == 1400


def test_an_unsupported_pixel_format_is_an_error_at_the_start(
    gige: FakeGige, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(FORMATS, 0x01080001)
    with pytest.raises(SettingsRefused, match="pixel format 0x01080001 is not supported"):
        open_camera(gige.source(pixel_format="Mono8"), triggered=False)


def test_a_camera_is_found_by_its_id_and_listed(gige: FakeGige, tmp_path: Path) -> None:
    with opened(f"genicam://Aravis-Fake-{gige.serial}") as camera:
        assert read(camera, 1)
    listed = draem_in_process("cameras", cwd=tmp_path)
    assert f"Aravis-Fake-{gige.serial}  GigEVision" in listed.stdout
    assert f"free  --source genicam://{gige.address}" in listed.stdout


def test_a_camera_in_use_is_reported_and_not_disturbed(gige: FakeGige) -> None:
    with opened(gige.source()) as camera, ThreadPoolExecutor() as others:
        read(camera, 1)
        second, listed = others.submit(opened, gige.source()), others.submit(find_cameras)
        found = []
        while not (second.done() and listed.done()):  # each takes 5 s
            found += read(camera, 1)
        with pytest.raises(CameraError, match="in use by another program"):
            second.result()
        state = {found.address: found.state for found in listed.result()}
        assert state[gige.address] == "in use by another program"
        assert len(found) > 20


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("exposure_us", 1, "refuses exposure_us 1.0"),
        ("pixel_format", "Mono12p", "pixel_format Mono12p"),
        ("gain", 99, "refuses gain 99.0"),
        ("exposure_us", 10.4, "keeps exposure_us 10.0, and 10.4 was asked"),
        ("chunks", "ExposureTime", "refuses chunk mode True"),
    ],
)
def test_a_setting_that_the_camera_refuses_is_named(
    gige: FakeGige, setting: str, value: object, message: str
) -> None:
    with pytest.raises(SettingsRefused, match=message):
        opened(gige.source(**{setting: value}))


def test_settings_that_other_cameras_lack_are_refused() -> None:
    """A camera on USB, without a trigger; the simulated one has both."""

    class UsbCamera:
        def is_gv_device(self) -> bool:
            return False

        def is_feature_available(self, name: str) -> bool:
            return False

        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

    for option, message in (
        ("packet_size=1400", "GigE Vision"),
        ("trigger=hardware", "no trigger"),
    ):
        with pytest.raises(SettingsRefused, match=message):
            apply(UsbCamera(), parse(f"genicam://x?{option}"))
    apply(UsbCamera(), parse("genicam://x"))


@pytest.mark.parametrize(
    ("address", "triggered", "message"),
    [
        ("genicam://", False, "names no camera"),
        ("genicam://x?exposure=5", False, "no option 'exposure', there are .*exposure_us"),
        ("genicam://x?width=5", False, "a region needs"),
        ("genicam://x?gain=x", False, r"gain \(.*; write genicam://"),
        ("genicam://x?trigger=hardware", False, "add --mode triggered"),
        ("genicam://x", True, "trigger=hardware"),
        ("genicam://no-such-camera", False, "no camera 'no-such-camera' answers"),
    ],
)
def test_a_wrong_address_is_an_error(address: str, triggered: bool, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        open_camera(address, triggered=triggered)


def test_incomplete_frames_are_never_judged_and_whole_ones_are(tmp_path: Path) -> None:
    with FakeGige(lost_per_thousand=3) as gige:
        station = CameraStation(tmp_path, gige.source(frame_rate=30))
        try:
            wait_for(lambda: len(station.inspections()) >= 25, 30)
        finally:
            station.close()
    found = [i for i in station.inspections() if i.code.name != "stopped"]
    assert {i.code.name for i in found} == {"none", "incomplete"}
    for inspection in found:
        whole = inspection.code.name == "none"
        assert (inspection.verdict == "NO_VERDICT") is not whole
    counted = station.controls.camera
    assert counted["incomplete"] == sum(i.code.name == "incomplete" for i in found)


def test_received_and_lost_frames_add_up_to_those_sent() -> None:
    """With so many packets lost whole frames are missing, which the ids show."""
    with (
        FakeGige(lost_per_thousand=600) as gige,
        opened(gige.source(width=512, height=4)) as camera,
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


def test_two_cameras_at_once_do_not_mix(gige: FakeGige) -> None:
    if gige.address == "127.0.0.1":
        pytest.skip("a second camera needs a loopback address of its own: run as root")
    with (
        FakeGige() as other,
        opened(gige.source(width=300, height=100)) as wide,
        opened(other.source(width=100, height=300)) as narrow,
    ):
        assert {f.image.shape for f in read(wide, 5) if f.code is Code.NONE} == {(100, 300)}
        assert {f.image.shape for f in read(narrow, 5) if f.code is Code.NONE} == {(300, 100)}


def test_frames_are_collected(gige: FakeGige, tmp_path: Path) -> None:
    words = ("collect", "--source", gige.source(frame_rate=10), "--to", "x", "--frames", "5")
    done = draem_in_process(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "x").glob("*.png"))) == 5


def test_a_wrong_address_of_a_command_is_one_line(tmp_path: Path) -> None:
    words = ("collect", "--source", "genicam://192.0.2.77?gain=x", "--to", "x")
    done = draem_in_process(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "gain" in done.stderr
    assert len(done.stderr.splitlines()) == 1
