"""A station on a real GigE Vision camera on loopback that is killed, frozen, or changed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.camera.genicam.camera import GenicamCamera
from edge.camera.genicam.camera_settings import parse
from edge.events.client import RequestClient, service_endpoint
from edge.events.control_messages import Health, Request
from edge.vision.calibration import Range
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for
from tests.support.minimal_station import calibrated_for

pytestmark = needs_genicam


@pytest.fixture
def gige() -> Iterator[FakeGige]:
    with FakeGige() as camera:
        yield camera


def health(station: CameraStation) -> Health:
    with RequestClient(service_endpoint(station.endpoint, "control"), None, "--control") as client:
        return Health.model_validate_json(client.ask(Request(request="health"))[0])


def wait_for_faults(station: CameraStation, *names: str, seconds: float = 10) -> None:
    wait_for(lambda: station.fault_names() == list(names), seconds)


@pytest.fixture
def stations() -> Iterator[list[CameraStation]]:
    """Those that a test adds are closed at its end."""
    made: list[CameraStation] = []
    yield made
    for station in made:
        station.close()


@pytest.mark.parametrize("frozen", [False, True])
def test_an_outage_is_reported_in_time_and_ends_without_a_restart(
    gige: FakeGige, tmp_path: Path, stations: list[CameraStation], frozen: bool
) -> None:
    station = CameraStation(tmp_path, gige.source(frame_rate=30))
    stations.append(station)
    wait_for(lambda: station.verdicts() > 10)
    gige.freeze() if frozen else gige.kill()
    wait_for(lambda: bool(station.faults()), 3)
    wait_for(lambda: health(station).state == "fault")
    assert health(station).outage in ("camera_lost", "camera_silent")
    if frozen:
        time.sleep(3.5)  # longer than the camera keeps its controller
    judged = station.verdicts()
    gige.thaw() if frozen else gige.restart()
    wait_for(lambda: station.verdicts() > judged)
    wait_for(lambda: health(station).state == "running")
    station.close()
    assert station.error is None
    lost, back = station.fault_names()
    assert lost in ("camera_lost", "camera_silent"), "whichever is seen first"
    assert back == "camera_back"
    counted = station.controls.camera
    assert (counted["outages"], counted["reconnected"], counted["stale"]) == (1, 1, 0)
    assert counted["received"] == len(station.inspections()) + station.controls.passed_over


def test_with_a_hardware_trigger_silence_is_no_fault_and_an_outage_is(
    gige: FakeGige, tmp_path: Path, stations: list[CameraStation]
) -> None:
    """The simulated camera has no trigger input: only silence and outages can be tested here."""
    source = gige.source(trigger="hardware")
    station = CameraStation(tmp_path, source, triggered=True, read_deadline_ms=100)
    stations.append(station)
    time.sleep(0.7)  # a check of the camera, and its deadline several times over
    assert station.faults() == []
    gige.freeze()
    wait_for_faults(station, "camera_lost", seconds=3)
    gige.thaw()
    wait_for_faults(station, "camera_lost", "camera_back")


def test_frames_of_a_size_that_another_program_set_are_not_judged(
    gige: FakeGige, tmp_path: Path, stations: list[CameraStation]
) -> None:
    station = CameraStation(tmp_path, gige.source())
    stations.append(station)
    wait_for(lambda: station.verdicts() > 3)
    smaller = parse(gige.source(width=128, height=128))
    station.reconnecting._connect = lambda: GenicamCamera(smaller)
    gige.kill()
    wait_for_faults(station, "camera_lost", seconds=3)
    gige.restart()
    wait_for(lambda: station.inspections()[-1].code.name == "format_changed")
    assert station.fault_names() == ["camera_lost"], "the outage has not ended"
    assert station.inspections()[-1].verdict == "NO_VERDICT"


def test_a_camera_too_dark_after_an_outage_has_no_verdict_until_it_is_bright_again(
    gige: FakeGige, tmp_path: Path, stations: list[CameraStation]
) -> None:
    """A gain that the address does not name is lost with the camera's power."""
    product = calibrated_for(brightness=Range(low=160, high=250))
    station = CameraStation(tmp_path, gige.source(), product=product)
    stations.append(station)

    def device() -> Any:
        connection = station.reconnecting._connection
        assert connection is not None
        return getattr(connection.camera, "_camera", None)

    device().set_gain(2)
    wait_for(lambda: station.verdicts() > 5)
    gige.kill()
    wait_for_faults(station, "camera_lost", seconds=3)
    before = len(station.inspections())
    gige.restart()
    wait_for_faults(station, "camera_lost", "camera_back")
    wait_for(lambda: len(station.inspections()) > before + 10)
    device().set_gain(2)
    wait_for(lambda: station.inspections()[-1].verdict != "NO_VERDICT")
    dark = station.inspections()[before : before + 10]
    assert {(i.verdict, i.code.name) for i in dark} == {("NO_VERDICT", "brightness")}
    assert station.fault_names() == ["camera_lost", "camera_back"], "the camera itself works"


def test_settings_refused_when_reconnecting_are_reported_and_tried_again(
    gige: FakeGige, tmp_path: Path, stations: list[CameraStation]
) -> None:
    """A refused connection lets go of the camera: the next one finds it free."""
    station = CameraStation(tmp_path, gige.source())
    stations.append(station)
    sources = [gige.source(gain=99)] * 2 + [gige.source()]
    wait_for(lambda: station.verdicts() > 3)
    station.reconnecting._connect = lambda: GenicamCamera(
        parse(sources.pop(0) if len(sources) > 1 else sources[0])
    )
    gige.kill()
    wait_for_faults(station, "camera_lost", seconds=3)
    gige.restart()
    wait_for_faults(station, "camera_lost", "camera_settings", "camera_back", seconds=20)
