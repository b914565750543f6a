"""Software triggers of a real GigE Vision camera on loopback, directly and over the network."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.camera.trigger_matching import MAX_DELAY_S, Trigger
from edge.events.client import RequestClient, service_endpoint
from edge.events.control_messages import Request, TriggerRequest
from edge.events.event import Inspection
from tests.support.cameras import CameraStation, FakeGige, needs_genicam, wait_for
from tests.support.running_station import Running


@pytest.fixture
def gige() -> Iterator[FakeGige]:
    with FakeGige() as camera:
        yield camera


@pytest.fixture
def station(gige: FakeGige, tmp_path: Path) -> Iterator[CameraStation]:
    source = gige.source(trigger="software", trigger_deadline_ms=400)
    station = CameraStation(tmp_path, source, triggered=True, read_deadline_ms=100)
    try:
        station.wait_until_triggerable()
        yield station
    finally:
        station.close()
    assert station.error is None


def ended(station: CameraStation) -> dict[int, Inspection]:
    """The events of the triggers so far; each has one."""
    found = [(i.trigger_id, i) for i in station.inspections() if i.trigger_id is not None]
    assert len(dict(found)) == len(found)
    return dict(found)


def wait_until_ended(station: CameraStation, trigger_id: int) -> Inspection:
    wait_for(lambda: trigger_id in ended(station))
    return ended(station)[trigger_id]


@needs_genicam
def test_software_triggers_match_their_frames(gige: FakeGige, station: CameraStation) -> None:
    camera = station.reconnecting
    time.sleep(0.5)  # silence is no fault here
    assert station.faults() == []
    for number in (1, 2, 3):
        camera.trigger(Trigger(number, 100 * number, f"part-{number}"))
        inspection = wait_until_ended(station, number)
        assert (inspection.verdict != "NO_VERDICT", inspection.encoder) == (True, 100 * number)
        assert (inspection.part_id, inspection.frame_id > 0) == (f"part-{number}", True)
    for number in (4, 5, 6):  # faster than the camera: 5 and 6 come while 4 is in progress
        camera.trigger(Trigger(number))
    codes = [wait_until_ended(station, number).code.name for number in (4, 5, 6)]
    assert codes == ["none", "overrun", "overrun"]
    gige.freeze()
    camera.trigger(Trigger(7))
    assert wait_until_ended(station, 7).code.name in ("trigger_lost", "camera_lost")
    wait_for(lambda: station.fault_names() == ["camera_lost"], 3)
    camera.trigger(Trigger(8))
    assert wait_until_ended(station, 8).code.name == "camera_lost"
    gige.thaw()
    wait_for(lambda: station.fault_names() == ["camera_lost", "camera_back"])
    station.wait_until_triggerable()
    camera.trigger(Trigger(9))
    inspection = wait_until_ended(station, 9)
    assert inspection.code.name == "none", "and not the frame of 7, which may come late"
    assert list(ended(station)) == list(range(1, 10))


class LateCommands:
    """A camera whose commands take longer than a part may wait."""

    def __init__(self, device: Any) -> None:
        self.device, self.count = device, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.device, name)

    def software_trigger(self) -> None:
        time.sleep(2 * MAX_DELAY_S)
        self.device.software_trigger()
        self.count += 1


@needs_genicam
def test_the_picture_of_a_late_command_belongs_to_no_part(station: CameraStation) -> None:
    connection: Any = station.reconnecting._connection
    camera = connection.camera
    late = camera._camera = LateCommands(camera._camera)
    station.reconnecting.trigger(Trigger(1))
    assert wait_until_ended(station, 1).code.name == "overrun"
    camera._camera = late.device
    station.wait_until_triggerable()
    station.reconnecting.trigger(Trigger(2))
    assert wait_until_ended(station, 2).code.name == "none"
    assert late.count == 1


@needs_genicam
def test_triggers_over_the_control_socket(gige: FakeGige, station: CameraStation) -> None:
    """As a bridge sends them: the ids come back, what cannot be sent in time takes no picture."""
    with RequestClient(service_endpoint(station.endpoint, "control"), None, "--control") as client:
        for number in (1, 2, 3):
            request = TriggerRequest(trigger_id=number, encoder=-number, part_id=f"part {number}")
            assert b'"reply":"trigger"' in client.ask(request)[0]
            inspection = wait_until_ended(station, number)
            assert (inspection.verdict != "NO_VERDICT", inspection.encoder) == (True, -number)
            assert inspection.part_id == f"part {number}"
        gige.freeze()
        for number in range(4, 9):
            start = time.monotonic()
            client.ask(TriggerRequest(trigger_id=number))
            client.ask(Request(request="health"))
            assert time.monotonic() - start < 2, "a camera that hangs for seconds blocks no request"
            time.sleep(0.1)
        gige.thaw()
        wait_for(lambda: set(range(1, 9)) <= set(ended(station)), 20)
    assert all(ended(station)[n].verdict == "NO_VERDICT" for n in range(4, 9))


def test_a_camera_that_the_program_does_not_trigger_refuses_over_the_control_socket(
    tmp_path: Path,
) -> None:
    station = Running(tmp_path)
    try:
        with RequestClient(
            service_endpoint(station.endpoint, "control"), None, "--control"
        ) as client:
            refused = client.ask(TriggerRequest(trigger_id=1))[0]
        assert b"not triggered by the program" in refused
    finally:
        station.close()
