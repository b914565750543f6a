"""A station measured from synthetic photographs by a camera that is known, and rubbish refused."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import draem
from calibration.commands.station import parse_roi
from calibration.geometry.board import Board, draw, find, parse_board, print_board
from calibration.geometry.board_views import Views
from calibration.geometry.lens import doubts, measure_lens
from calibration.geometry.plane import measure_plane
from edge.base.errors import DraemError
from edge.vision.geometry import Geometry, GeometryError, read_geometry
from edge.vision.lens import Correction, project
from tests.support.boards import CHARUCO, CHESS, FRAME, LENS, POSES, view, views

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


@pytest.mark.parametrize("board", [CHARUCO, CHESS], ids=str)
def test_calibration_finds_the_lens_and_the_plane_of_a_known_camera(board: Board) -> None:
    """Focal length within 1 %, mm on the tilted plane within 0.5 %, whatever way the board lies."""
    result = measure_lens(seen(board, views(board)))
    matrix, truth = result.lens.camera_matrix, LENS.camera_matrix
    assert matrix[0][0] == pytest.approx(truth[0][0], rel=0.01)
    assert matrix[1][1] == pytest.approx(truth[1][1], rel=0.01)
    assert matrix[0][2] == pytest.approx(truth[0][2], abs=4)
    assert result.rms_px < 0.3
    assert not doubts(result)
    board_mm = np.array([(x, y) for x in range(0, 200, 20) for y in range(0, 160, 20)], float)
    for number in (4, 9):
        plane = measure_plane(board, "flat.png", views(board)[number], result.lens)
        made = Geometry(frame=FRAME, lens=result.lens, plane=plane.plane)
        where = Correction(FRAME, LENS, None).to_frame(project(POSES[number], board_mm))
        inside = ((where > 0) & (where < FRAME)).all(axis=1)
        assert made.correction is not None
        mm = made.correction.to_corrected(where[inside])
        found, true = (
            np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (mm, board_mm[inside])
        )
        far = true > 30
        assert np.abs(found[far] / true[far] - 1).max() < 0.005
        middle = made.correction.to_corrected(np.array([(0, 0), (320.0, 240.0), (321.0, 240.0)]))
        assert np.abs(middle[0]).max() < 1e-6
        step = middle[2] - middle[1]
        assert step[0] > 0
        assert abs(step[1]) < 1e-3 * step[0]
        assert plane.tilt_degrees is not None


def test_calibration_of_the_tilt_tells_its_degrees() -> None:
    plane = measure_plane(CHARUCO, "flat.png", views(CHARUCO)[4], LENS)
    assert plane.tilt_degrees == pytest.approx(30, abs=0.5)
    assert measure_plane(CHARUCO, "flat.png", views(CHARUCO)[0], LENS).tilt_degrees < 0.5  # type: ignore[operator]


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
        ("broken.png", "not an 8- or 16-bit image"),
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


@pytest.mark.parametrize(
    "board", [CHARUCO, Board(6, 5, 10), Board(6, 8, 12.5, 9, "5X5_100")], ids=str
)
def test_a_printed_calibration_board_has_its_size(board: Board, tmp_path: Path) -> None:
    """Found again in the file, its squares are as many mm as its stated resolution says."""
    path = tmp_path / "board.png"
    width, height = print_board(board, path)
    data = path.read_bytes()
    place = data.index(b"pHYs") + 4
    across, down, unit = struct.unpack(">IIB", data[place : place + 9])
    assert across == down
    assert unit == 1
    page = cv2.imread(str(path))
    assert page is not None
    assert page.shape[1] / across * 1000 == pytest.approx(width, abs=1)
    assert page.shape[0] / down * 1000 == pytest.approx(height, abs=1)
    found = find(board, np.asarray(page, np.uint8))
    assert not isinstance(found, str)
    assert len(found.numbers) == (board.columns - 1) * (board.rows - 1)
    mm = found.pixels / across * 1000
    assert np.ptp(mm, axis=0) == pytest.approx(np.ptp(found.board_mm, axis=0), abs=0.1)


def test_the_old_charuco_pattern_is_found_too() -> None:
    """Boards with an even number of rows that were printed with OpenCV before 4.6."""
    board = Board(9, 8, 20, 15, "4X4_50")
    old = board.charuco()
    old.setLegacyPattern(True)
    page = np.asarray(old.generateImage((900, 800), marginSize=30), np.uint8)
    found = find(board, page)
    assert not isinstance(found, str)
    assert len(found.numbers) == 56


def test_a_view_with_a_bent_board_is_left_out_of_the_calibration() -> None:
    """Its corners fit no plane: named with the reason, and the lens is found without it."""
    across, down = np.meshgrid(np.arange(640, dtype=np.float32), np.arange(480, dtype=np.float32))
    pictures = views(CHARUCO).copy()
    bent = cv2.remap(pictures[5], across + 9 * np.sin(down / 40), down, cv2.INTER_LINEAR)
    pictures[5] = np.asarray(bent, np.uint8)
    result = measure_lens(seen(CHARUCO, pictures))
    assert [view.name for view in result.refused] == ["5.png"]
    assert "bent, moved or blurred" in result.refused[0].why
    assert result.lens.camera_matrix[0][0] == pytest.approx(810, rel=0.01)


def test_a_wrong_square_count_or_all_views_bent_is_refused() -> None:
    rng = np.random.default_rng(0)
    good = seen(CHARUCO, views(CHARUCO))
    for view_ in good.seen:
        view_.found.pixels[:] += rng.normal(0, 3, view_.found.pixels.shape)
    with pytest.raises(GeometryError, match=r"(RMS|off by|can be used)") as caught:
        measure_lens(good)
    assert "\n" not in str(caught.value)


def test_too_few_or_too_similar_views_are_refused_with_what_to_do() -> None:
    with pytest.raises(GeometryError, match="7 views can be used, at least 8") as caught:
        measure_lens(seen(CHARUCO, views(CHARUCO)[:7]))
    assert "photograph the board" in str(caught.value)
    with pytest.raises(GeometryError, match="the board lies as in"):
        measure_lens(seen(CHARUCO, [views(CHARUCO)[0]] * 12))


def test_views_without_tilt_are_refused() -> None:
    """Nothing tells the focal length then, however well it fits."""
    turn = [(0.0, 0.0, float(i)) for i in range(0, 90, 10)]
    flat = [view(CHARUCO, _pose(t, (i * 3.0 - 12, 0))) for i, t in enumerate(turn)]
    with pytest.raises(GeometryError, match="0 views are tilted"):
        measure_lens(seen(CHARUCO, flat))


def _pose(tilt: tuple[float, float, float], at: tuple[float, float]) -> NDArray[np.float64]:
    from tests.support.boards import pose

    return pose(tilt, at, 380)


RUBBISH = {
    "black": np.zeros((480, 640, 3), np.uint8),
    "white": np.full((480, 640, 3), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8),
    "thin": np.zeros((32, 400, 3), np.uint8),
    "squares": np.kron(np.indices((40, 40)).sum(axis=0) % 2, np.full((12, 12), 255))
    .astype(np.uint8)[..., None]
    .repeat(3, axis=2),
    "part": np.ascontiguousarray(draw(CHARUCO, 4)[200:280, 250:330]),
}


@pytest.mark.parametrize("board", [CHARUCO, CHESS], ids=str)
@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_pictures_are_refused_in_words(board: Board, name: str) -> None:
    found = find(board, RUBBISH[name])
    assert isinstance(found, str)
    with pytest.raises(GeometryError, match=r"--plane x\.png"):
        measure_plane(board, "x.png", RUBBISH[name], None)


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


@pytest.mark.parametrize(
    "text",
    [
        "", "charuco", "charuco:9x7", "charuco:9x7:20", "charuco:9x7:15:20", "charuco:9x7:20:0",
        "charuco:3x7:20:15", "charuco:99x7:20:15", "charuco:axb:20:15", "charuco:9x7:nan:15",
        "charuco:9x7:20:15:NONE", "charuco:20x20:20:15:4X4_50", "chessboard:9x7", "dots:9x7:20",
        "chessboard:9x7:20:15", "chessboard:9x7:-1", "chessboard:9x7:inf", "charuco:9x7:20:nan",
        "charuco:9x7:20:15:4X4_50:x",
    ],
)  # fmt: skip
def test_a_board_without_sense_is_refused(text: str) -> None:
    with pytest.raises(GeometryError) as caught:
        parse_board(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"(charuco|chessboard):[0-9x.:A-Z_-]{0,30}"))
@settings(deadline=None)
def test_any_board_text_is_a_board_or_an_error(text: str) -> None:
    try:
        board = parse_board(text)
    except DraemError:
        return
    assert parse_board(str(board)) == board


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


def test_the_page_names_the_board_and_its_scale() -> None:
    page = draw(CHARUCO)
    assert (page[-180:] < 128).sum() > 500


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
