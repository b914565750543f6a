"""Lens and plane measured from synthetic photographs by a camera that is known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.geometry.board import Board, draw, find
from calibration.geometry.board_views import Views
from calibration.geometry.lens import doubts, measure_lens
from calibration.geometry.plane import measure_plane
from edge.vision.geometry import Geometry, GeometryError
from edge.vision.lens import Correction, project
from tests.support.boards import CHARUCO, CHESS, FRAME, LENS, POSES, view, views


def seen(board: Board, pictures: list[NDArray[np.uint8]]) -> Views:
    made = Views(board, None)
    for i, picture in enumerate(pictures):
        made = made.with_picture(f"{i}.png", picture)
    return made


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
