"""Collecting good frames for a calibration: what is refused, why, and what is kept of each."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event as StopEvent
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.collect import MOST_REFUSED, Collection, FrameFilter
from draem import INTERRUPTED
from edge.base.errors import CameraError
from edge.base.files import exclusive_lock
from edge.camera.simulated.renderer import PartRenderer
from edge.events.codes import Code
from edge.vision.fit import Fit
from edge.vision.frame import Frame
from tests.conftest import Plant, draem
from tests.support.cameras import FakeGige, needs_genicam, wait_for
from tests.support.commands import draem_in_process
from tests.support.http_camera import HttpCamera, part
from tests.support.numbered_pictures import pictures

LINE = "line://moulded?rate=0&defects=0&seed=9"


def test_calibration_frames_are_collected_once_a_part(tmp_path: Path) -> None:
    words = ("collect", "--source", LINE + "&parts=12", "--to", "good")
    done = draem(*words, "--frames", "8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "8 frames saved" in done.stderr
    again = draem(*words, "--frames", "8", cwd=tmp_path)
    assert again.returncode == 2
    assert "4 frames saved in good; refused: 8 the same part again" in again.stderr
    assert "gave 4 of 8 frames" in again.stderr
    assert sorted(p.name for p in (tmp_path / "good").glob("*.png"))[-1] == "frame_00011.png"
    rows = [json.loads(r) for r in (tmp_path / "good" / "frames.jsonl").read_text().splitlines()]
    assert [r["file"] for r in rows] == [f"frame_{i:05d}.png" for i in range(12)]
    assert all(r["camera"] == {"line": "moulded", "seed": 9} for r in rows)
    sheet = cv2.imread(str(tmp_path / "good-sheet.jpg"))
    assert sheet is not None
    assert sheet.shape[:2] == (2 * 144, 10 * 192)
    assert not list((tmp_path / "good").glob("*.jpg")), "the sheet is no training image"


def test_a_collection_waits_for_a_quiet_line_and_survives_an_outage(tmp_path: Path) -> None:
    """It ended with the first outage, and with ten seconds between two parts."""
    jpegs = [cv2.imencode(".jpg", image)[1].tobytes() for image in pictures(7)]
    server = HttpCamera([*map(part, jpegs[:4]), b"", *map(part, jpegs[4:])])
    words = ("collect", "--source", server.source, "--to", "good", "--frames", "7")
    with server:
        done = draem_in_process(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "reconnecting until it is back" in done.stderr
    assert "is back after" in done.stderr
    assert "7 frames saved" in done.stderr


def test_a_collection_on_a_quiet_line_ends_with_ctrl_c(tmp_path: Path) -> None:
    go_on = StopEvent()

    def chunks() -> Iterator[bytes]:
        yield from (part(cv2.imencode(".jpg", image)[1].tobytes()) for image in pictures(3))
        go_on.wait(60)

    with HttpCamera(chunks()) as server:
        words = ("collect", "--source", server.source, "--to", "good", "--frames", "9")
        command = [sys.executable, "-m", "draem", *words]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: len(list((tmp_path / "good").glob("*.png"))) > 1, 60)
        finally:
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=20)[1]
            go_on.set()
    assert process.returncode == INTERRUPTED
    assert "interrupted" in told
    assert "Traceback" not in told
    assert (tmp_path / "good-sheet.jpg").is_file(), "what was collected can be looked through"


@needs_genicam
def test_a_collection_from_a_camera_that_nothing_triggers_is_refused(tmp_path: Path) -> None:
    with FakeGige() as gige:
        source = gige.source(trigger="software")
        words = ("collect", "--source", source, "--mode", "triggered", "--to", "good")
        done = draem_in_process(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing triggers the camera here" in done.stderr


def test_two_collections_for_one_calibration_do_not_mix(tmp_path: Path) -> None:
    refusal = CameraError("another")
    (tmp_path / "good").mkdir()
    with exclusive_lock(tmp_path / "good", refusal):
        done = draem("collect", "--source", LINE, "--to", "good", "--frames", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "another collection into good is under way: wait for its end" in done.stderr
    assert not list((tmp_path / "good").glob("*.png"))
    again = draem("collect", "--source", LINE, "--to", "good", "--frames", "1", cwd=tmp_path)
    assert again.returncode == 0, again.stderr


class Small:
    """A camera whose pictures are smaller than the product's crop."""

    def __init__(self) -> None:
        self.given = 0

    def read(self) -> Frame:
        self.given += 1
        return Frame(np.full((40, 40), self.given, np.uint8), self.given, 0)


def test_camera_whose_frames_never_fit_the_product_ends_the_collection(tmp_path: Path) -> None:
    small: Any = Small()
    sieve = FrameFilter(Fit(64, 64, crop=(0, 0, 80, 80)), None, triggered=False)
    with pytest.raises(CameraError, match="do not fit: give the camera the size"):
        list(Collection(tmp_path, small, sieve).take())
    assert small.given == MOST_REFUSED


def test_calibration_of_triggered_parts_takes_each_for_itself() -> None:
    image = PartRenderer("moulded", 1).part(0).image
    for triggered, why in ((False, "the same part again"), (True, "")):
        sieve = FrameFilter(Fit(64, 64), None, triggered=triggered)
        assert sieve.refusal(Frame(image, 1, 0)) == ""
        assert sieve.refusal(Frame(image, 2, 0)) == why


def test_what_a_line_would_not_judge_is_not_collected_for_calibration(calibrated: Plant) -> None:
    """The same checks as `run`: what the camera says, the crop, and light and focus."""
    product = calibrated.product
    sieve = FrameFilter(product.fit, product.calibration, triggered=False)
    image = cv2.resize(PartRenderer("moulded", 21).part(0).image, (320, 240)).astype(np.uint8)
    frames = {
        "": image,
        "brightness": (image // 3).astype(np.uint8),
        "black or perfectly even": np.zeros_like(image),
        "sharpness": cv2.GaussianBlur(image, (0, 0), 4).astype(np.uint8),
    }
    for why, picture in frames.items():
        assert sieve.refusal(Frame(picture, 1, 0)) == why
    lost = Frame(np.zeros((0, 0, 3), np.uint8), 1, 0, code=Code.FRAME_UNREADABLE)
    assert sieve.refusal(lost) == "frame_unreadable"
    crop = FrameFilter(Fit(64, 64, crop=(0, 0, 9999, 10)), None, triggered=False)
    assert crop.refusal(Frame(image, 1, 0)) == "wrong_format"
