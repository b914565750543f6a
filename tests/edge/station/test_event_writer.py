"""Events of an outage of the camera, and of triggers that no frame came for."""

from pathlib import Path

import pytest

from edge.camera import CameraNotice
from edge.events.codes import Code
from edge.events.journal import Journal
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from tests.support.event_log import logged
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents


def test_every_heartbeat_reports_a_disconnected_camera_until_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """For a bridge that connects during the outage, after the fault event."""
    sink, controls = RecordedEvents(), Controls(PRODUCT)
    with Journal(tmp_path) as journal:
        writer = EventWriter("s", PRODUCT, journal, sink)
        for code, state in ((Code.CAMERA_LOST, "fault"), (Code.CAMERA_BACK, "running")):
            writer.camera(CameraNotice(code, "its cable"))
            writer.tick(controls)
            outage = code.name.lower() if state == "fault" else ""
            assert (sink.faults[-1].code.name, controls.outage) == (code.name.lower(), outage)
            heartbeat = sink.heartbeats[-1]
            assert (heartbeat.state, heartbeat.code.name) == (state, outage or "none")
            assert heartbeat.message == ("its cable" if outage else "")
        assert len(sink.heartbeats) == 2, "at once"
        assert caplog.text.count("its cable") == 1, "the line's own log has it too"
        writer.camera(CameraNotice(Code.CAMERA_LOST, "its cable"))
        inspect(writer, 1)
        writer.tick(controls)
        assert (sink.heartbeats[-1].state, controls.outage) == ("running", ""), "it gives frames"


def test_triggers_while_the_program_was_down_have_an_event_each(tmp_path: Path) -> None:
    sink = RecordedEvents()
    with Journal(tmp_path) as journal:
        writer = EventWriter("s", PRODUCT, journal, sink)
        inspect(writer, 100)  # the first of a new log: what was before is unknown
        inspect(writer, 101)
        inspect(writer, 104)
    with Journal(tmp_path) as journal:
        writer = EventWriter("s", PRODUCT, journal, sink)
        inspect(writer, 110)
        inspect(writer, 111)
        inspect(writer, 112 + 10_001)
        inspect(writer, 5)  # the line's counter began again
        inspect(writer, 6)
    codes = {h.trigger_id: (h.verdict, h.code.name) for h in sink.inspections}
    assert codes[102] == codes[103] == ("NO_VERDICT", "trigger_lost")
    assert [codes[i] for i in range(105, 110)] == [("NO_VERDICT", "outage")] * 5
    assert codes[110] == codes[111] == ("OK", "none")
    assert "112 to 10112" in sink.faults[0].message
    assert [h.trigger_id for h in sink.inspections][-3:] == [10113, 5, 6]
    assert sink.headers == logged(tmp_path)
