"""`draem station` with synthetic photographs, and who uses the geometry that it writes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event as StopEvent

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import draem
from calibration.commands.station import parse_roi
from calibration.geometry.board import Board
from calibration.geometry.board_views import Views
from calibration.geometry.lens import measure_lens
from edge.base.errors import DraemError
from edge.vision.geometry import Geometry, GeometryError, read_geometry
from tests.support.boards import CHARUCO, FRAME, LENS, views
from tests.support.http_camera import HttpCamera, part

TEXT = str(CHARUCO)


def seen(board: Board, pictures: list[NDArray[np.uint8]]) -> Views:
    made = Views(board, None)
    for i, picture in enumerate(pictures):
        made = made.with_picture(f"{i}.png", picture)
    return made


def write(folder: Path, pictures: list[NDArray[np.uint8]]) -> Path:
    folder.mkdir()
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    return folder


def station(*words: object) -> int:
    return draem.main(["station", *map(str, words)])


def test_station_calibration_as_a_command(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Views, plane, region and check picture in; what was used and what not is told."""
    caplog.set_level("INFO")
    folder = write(tmp_path / "views", [*views(CHARUCO), views(CHARUCO)[0]])
    (folder / "broken.png").write_bytes(b"not a picture")
    cv2.imwrite(str(folder / "no_board.png"), np.full((480, 640, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "small.png"), cv2.resize(views(CHARUCO)[9], (480, 360)))
    made, check = tmp_path / "geometry.json", tmp_path / "check.png"
    code = station(
        "--board", TEXT, "--images", folder, "--plane", folder / "9.png", "--to", made,
        "--show", check, "--roi", "rim=100,100,500,100,500,400,100,400",
    )  # fmt: skip
    assert code == 0
    geometry = read_geometry(made)
    assert geometry.frame == FRAME
    assert geometry.lens is not None
    assert geometry.plane is not None
    assert geometry.mm_per_pixel == pytest.approx(0.452, rel=0.01)
    assert len(geometry.regions_of_interest["rim"]) == 4
    shown = cv2.imread(str(check))
    assert shown is not None
    assert shown.shape[1] == 2 * FRAME[0]
    for half in (shown[:, : FRAME[0]], shown[:, FRAME[0] :]):
        green = half[..., 1].astype(int) - half[..., ::2].max(axis=2)
        assert (green > 60).sum() > 300
        assert (half[..., 2].astype(int) - half[..., 0] > 150).sum() > 300
    text = caplog.text
    assert "10 views (4 not used)" in text
    assert "RMS reprojection error" in text
    for name, why in (
        ("10.png", "the board lies as in 0.png"),
        ("broken.png", "is neither JPEG nor PNG"),
        ("no_board.png", "the board is not seen"),
        ("small.png", "it is 480x360, the others are 640x480"),
    ):
        assert any(name in line and why in line for line in text.splitlines()), name


def test_calibration_goes_on_from_a_geometry_of_before(tmp_path: Path) -> None:
    base, made = tmp_path / "base.json", tmp_path / "new.json"
    base.write_text(Geometry(frame=FRAME, lens=LENS).model_dump_json())
    assert station("--from", base, "--roi", "a=1,1,99,1,99,99", "--to", made) == 0
    geometry = read_geometry(made)
    assert geometry.lens == LENS
    assert list(geometry.regions_of_interest) == ["a"]


def test_calibration_from_a_camera_takes_views_that_differ(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder stands for the camera: each view twice, as when somebody holds the board still."""
    caplog.set_level("INFO")
    twice = [picture for picture in views(CHARUCO) for _ in range(2)]
    folder = write(tmp_path / "camera", twice)
    made = tmp_path / "geometry.json"
    assert station("--board", TEXT, "--source", folder, "--views", 9, "--to", made) == 0
    assert "over 9 views" in caplog.text
    assert read_geometry(made).lens is not None


def test_calibration_from_a_live_camera_waits_for_views(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended within a tenth of a second, when no frame was there, and with an outage."""
    caplog.set_level("INFO")
    pause = StopEvent()

    def chunks() -> Iterator[bytes]:
        for number, picture in enumerate(views(CHARUCO)):
            pause.wait(0.3)
            yield part(cv2.imencode(".jpg", picture)[1].tobytes())
            if number == 4:
                yield b""

    made = tmp_path / "geometry.json"
    with HttpCamera(chunks()) as server:
        words = ("--board", TEXT, "--source", server.source, "--views", 9, "--to", made)
        assert station(*words) == 0
    assert "reconnecting until it is back" in caplog.text
    assert "over 9 views" in caplog.text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "no place for the geometry"),
        (["--to", "g.json"], "nothing to measure"),
        (["--to", "g.json", "--images", "none"], "no board named"),
        (["--to", "g.json", "--images", "none", "--board", TEXT], "does not exist"),
        (["--to", "g.json", "--plane", "none.png", "--board", TEXT], "cannot be read"),
        (["--print", "b.png"], "no board named"),
        (["--to", "g.json", "--roi", "rim"], "write NAME="),
        (["--to", "g.json", "--roi", "rim=1,2,3"], "write NAME="),
        (["--to", "g.json", "--roi", "rim=1,2,3,nan,5,6"], "cannot be used"),
        (["--to", "g.json", "--roi", "rim=0,0,9,9,9,0,0,9"], "crosses or touches itself"),
        (["--to", "g.json", "--mm-per-pixel", "-1"], "greater than 0"),
        (["--to", "g.json", "--mm-per-pixel", "1", "--show", "s.png"], "--show needs a picture"),
        (["--to", "g.json", "--from", "none.json"], "cannot be read"),
        (["--to", "none/g.json", "--mm-per-pixel", "1"], "No such file"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert station(*words) == 2
    line = capsys.readouterr().err
    assert why in line
    assert line.count("\n") == 1
    assert not list(tmp_path.iterdir())


@given(st.text(max_size=30))
def test_any_roi_text_is_a_polygon_or_an_error(text: str) -> None:
    try:
        name, polygon = parse_roi(text)
    except DraemError:
        return
    assert "=" not in name
    assert polygon


def test_a_plane_of_another_size_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, plane = tmp_path / "base.json", tmp_path / "plane.png"
    base.write_text(json.dumps({"frame": [800, 600], "lens": LENS.model_dump()}))
    cv2.imwrite(str(plane), views(CHARUCO)[0])
    made = tmp_path / "made.json"
    assert station("--board", TEXT, "--from", base, "--plane", plane, "--to", made) == 2
    assert "measured at another size" in capsys.readouterr().err
    assert not made.exists()


def test_training_is_told_the_calibration_of_the_station(tmp_path: Path) -> None:
    """The geometry goes into the settings, through a checkpoint's JSON, and into `fit`."""
    import argparse

    from trainer.commands.train import add_arguments
    from trainer.training.options import given_settings, make_settings
    from trainer.training.settings import TrainSettings

    path = tmp_path / "geometry.json"
    geometry = Geometry(frame=FRAME, lens=LENS, mm_per_pixel=0.2)
    path.write_text(geometry.model_dump_json())
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given_ = given_settings(parser.parse_args(["good", "--geometry", str(path)]))
    settings_ = make_settings({**given_, "product": "lid", "products": tmp_path})
    again = TrainSettings.model_validate_json(settings_.model_dump_json())
    assert again.fit.geometry == geometry
    with pytest.raises(GeometryError, match="cannot be read"):
        parser.parse_args(["good", "--geometry", str(tmp_path / "none.json")])


def test_the_line_sees_by_the_geometry_of_the_calibration_else_of_the_training() -> None:
    from edge.base.errors import ProductError
    from edge.engine import Engine
    from edge.station.inspector import Inspector
    from tests.support.minimal_station import PRODUCT, MeanEngine

    assert PRODUCT.calibration is not None
    assert PRODUCT.fit.geometry is None
    trained, calibrated = Geometry(frame=FRAME, lens=LENS), Geometry(mm_per_pixel=0.2)
    manifest = PRODUCT.manifest.model_copy(update={"geometry": trained})
    assert replace(PRODUCT, manifest=manifest).fit.geometry == trained
    calibration = PRODUCT.calibration.model_copy(update={"geometry": calibrated})
    assert replace(PRODUCT, manifest=manifest, calibration=calibration).fit.geometry == calibrated
    for record in (manifest, calibration):
        assert type(record).model_validate_json(record.model_dump_json()) == record
    cut = manifest.model_copy(update={"crop": (600, 400, 100, 100)})
    engine: Engine = MeanEngine()
    with pytest.raises(ProductError, match=r"does not fit it.*calibrate again"):
        Inspector(engine, replace(PRODUCT, manifest=cut))


def test_an_event_tells_millimetres_and_the_region_of_the_calibration() -> None:
    from edge.camera.capture import CapturedFrame
    from edge.station.event_headers import judged_part
    from edge.station.inspector import Inspector, Stopwatch
    from edge.vision.frame import Frame
    from tests.support.minimal_station import PRODUCT, SIZE, MeanEngine, frame

    assert PRODUCT.calibration is not None
    square = ((4, 4), (20, 4), (20, 20), (4, 20))
    geometry = Geometry(mm_per_pixel=0.5, regions_of_interest={"rim": square})
    update = {"geometry": geometry, "roi_thresholds": {"rim": 0.1}}
    product = replace(PRODUCT, calibration=PRODUCT.calibration.model_copy(update=update))
    inspector = Inspector(MeanEngine(), product)
    taken = CapturedFrame(frame(1, 200), 0)
    told = judged_part(taken, inspector.inspect(taken.frame, Stopwatch()), product, {})
    assert (told.verdict, told.roi, told.threshold) == ("NG", "rim", 0.1)
    (region,) = told.regions
    x, y, width, height = region.box
    assert region.box_mm == pytest.approx((x / 2, y / 2, width / 2, height / 2))
    assert region.area_mm2 == pytest.approx(region.area / 4)
    assert told.mask is not None
    assert told.mask.box_mm == (0, 0, SIZE / 2, SIZE / 2)
    assert not told.mask.corrected
    # A frame that the region of interest is not in has no verdict, and the line goes on.
    small = CapturedFrame(Frame(np.zeros((10, 10, 3), np.uint8), 2, 0), 0)
    refused = judged_part(small, inspector.inspect(small.frame, Stopwatch()), product, {})
    assert (refused.verdict, refused.code.name) == ("NO_VERDICT", "wrong_format")


def test_a_lens_that_folds_in_the_corners_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As views that never reach a corner give: the polynomial runs wild where nothing was seen."""
    from calibration.commands import station as command
    from edge.vision.lens import Lens

    wild = Lens(camera_matrix=LENS.camera_matrix, distortion=(-3.0, 0, 0, 0, 0))
    measured = measure_lens(seen(CHARUCO, views(CHARUCO)))
    monkeypatch.setattr(command, "measure_lens", lambda _: replace(measured, lens=wild))
    folder, made = write(tmp_path / "views", views(CHARUCO)), tmp_path / "made.json"
    words = ("--board", TEXT, "--images", folder, "--to", made)
    for plane in ((), ("--plane", folder / "9.png")):
        assert station(*words, *plane) == 2
        assert "folds or mirrors" in capsys.readouterr().err
    assert not made.exists()
