"""Commands that read a live camera wait as long as a line may be quiet, and through outages."""

import itertools

import pytest

from edge.camera import CameraNotice, EndOfStream, all_frames
from edge.events.codes import Code
from edge.vision.frame import Frame
from tests.support.scripted_camera import ScriptedCamera, good, silent


def lost() -> Frame:
    raise CameraNotice(Code.CAMERA_LOST, "camera T: the cable is cut")


def ends() -> Frame:
    raise EndOfStream("no more frames")


def test_a_quiet_line_is_waited_for_and_an_outage_is_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`collect` gave up after ten seconds, and `station` at once."""
    caplog.set_level("INFO")
    seconds = itertools.count()
    monkeypatch.setattr("edge.camera.time.monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr("tests.support.scripted_camera.time.sleep", lambda _: None)
    camera = ScriptedCamera(*[silent] * 100, good, lost, *[silent] * 3, good, ends)
    assert len(list(all_frames(camera))) == 2
    told = [record.getMessage() for record in caplog.records]
    assert [text for text in told if "no frame for" not in text] == ["camera T: the cable is cut"]
    waited = [text.split()[3] for text in told if "no frame for" in text]
    assert waited == ["5", "10", "20", "40", "80"], "it shows that it waits, ever more rarely"
