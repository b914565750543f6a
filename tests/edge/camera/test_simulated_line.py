"""The simulated line: reproducible parts that vary a little, visible and labelled defects."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.base.errors import CameraError
from edge.camera.open import open_camera
from edge.camera.simulated.part_kinds import KINDS
from edge.camera.simulated.renderer import Part, PartRenderer
from tests.support.commands import draem_in_process

DEFECTS = {"scratch", "dent", "stain", "chip", "foreign_body"}
SAMPLE = range(45)


@cache
def renderer(kind: str, seed: int = 0) -> PartRenderer:
    return PartRenderer(kind, seed)


@cache
def pair(kind: str, index: int) -> tuple[Part, Part]:
    """The same part without and with its defect."""
    return renderer(kind).part(index), renderer(kind).part(index, defective=True)


def change(good: Part, bad: Part) -> NDArray[np.float64]:
    """Largest change of any channel at each pixel, in gray levels."""
    return np.asarray(cv2.absdiff(good.image, bad.image).max(axis=2), np.float64)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_part_is_a_picture_and_a_mask_of_fixed_shape(kind: str) -> None:
    good, bad = pair(kind, 0)
    for part in (good, bad):
        assert part.image.shape == (480, 640, 3)
        assert part.truth.shape == (480, 640)
        assert part.image.dtype == part.truth.dtype == np.uint8
        assert set(np.unique(part.truth)) <= {0, 255}


def test_the_same_arguments_give_the_same_bytes_in_any_order(kind: str) -> None:
    wanted = [(5, False), (3, True), (5, True), (3, False)]
    forward, again = PartRenderer(kind, 4), PartRenderer(kind, 4)
    first = {key: forward.part(key[0], defective=key[1]) for key in wanted}
    again.part(9, empty=True)
    for key in reversed(wanted):
        part = again.part(key[0], defective=key[1])
        assert part.image.tobytes() == first[key].image.tobytes()
        assert part.truth.tobytes() == first[key].truth.tobytes()
        assert part.defect == first[key].defect


def test_seeds_and_indices_give_other_parts_of_the_same_product(kind: str) -> None:
    one, other_seed = renderer(kind, 0).part(7).image, renderer(kind, 1).part(7).image
    for other in (other_seed, renderer(kind, 0).part(8).image):
        assert cv2.absdiff(one, other).mean() > 1
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.8


def test_a_good_part_has_no_truth_and_no_defect(kind: str) -> None:
    for index in range(5):
        good, _ = pair(kind, index)
        assert good.defect is None
        assert not good.truth.any()


def test_every_defect_occurs_about_equally_often(kind: str) -> None:
    names = [pair(kind, index)[1].defect for index in SAMPLE]
    assert set(names) == DEFECTS
    assert min(names.count(name) for name in DEFECTS) >= len(SAMPLE) / 5 / 3


def test_a_defect_changes_the_picture_inside_its_truth_and_nowhere_else(kind: str) -> None:
    for index in SAMPLE:
        good, bad = pair(kind, index)
        inside = bad.truth > 0
        near = cv2.dilate(bad.truth, np.ones((5, 5), np.uint8)) > 0
        assert 100 < inside.sum() < 6000, (index, bad.defect)
        assert change(good, bad)[inside].mean() > 15, (index, bad.defect)
        assert change(good, bad)[~near].max() <= 9, (index, bad.defect)


def test_a_defect_survives_shrinking_to_a_third(kind: str) -> None:
    for index in SAMPLE:
        shrunk = [
            cv2.resize(part.image, (213, 160), interpolation=cv2.INTER_AREA).astype(np.float64)
            for part in pair(kind, index)
        ]
        contrast = np.abs(shrunk[1] - shrunk[0]).max(axis=2)
        assert np.sort(contrast, axis=None)[-12:].mean() > 35, pair(kind, index)[1].defect


def test_a_defect_lies_on_the_part(kind: str) -> None:
    for index in SAMPLE:
        good, bad = pair(kind, index)
        empty = renderer(kind).part(index, empty=True)
        covered = cv2.blur(change(good, empty), (5, 5)) > 8
        covered = cv2.dilate(covered.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        assert covered[bad.truth > 0].mean() > 0.9, (index, bad.defect)


def test_the_light_drifts_within_bounds(kind: str) -> None:
    means = np.array([renderer(kind).part(index).image.mean() for index in range(0, 150, 6)])
    swing = means / means.mean() - 1
    assert 0.03 < np.abs(swing).max() < 0.09
    assert np.abs(np.diff(swing)).max() < 0.04


def test_noise_is_like_that_of_a_sensor(kind: str) -> None:
    first, second = (renderer(kind).part(index, empty=True).image for index in (0, 150))
    noise = (first.astype(np.float64) - second).std() / np.sqrt(2)
    assert 0.8 < noise < 3


def test_an_empty_place_shows_no_part(kind: str) -> None:
    empty, good = renderer(kind).part(3, defective=True, empty=True), pair(kind, 3)[0]
    assert empty.defect is None
    assert not empty.truth.any()
    assert (change(good, empty) > 15).mean() > 0.15


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="machined, moulded") as raised:
        PartRenderer("cast")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [
        *("rate=1e-300", "rate=nan", "rate=inf", "rate=-1", "rate=1e300", "rate=", "rate", "x=1"),
        *("parts=-1", "parts=1.5", "defects=2", "defects=nan", "seed=abc", "seed=-1", "seed=1e3"),
        *("rate=1&rate=2", "rate=1#2", "seed=" + "9" * 5000),
    ],
)
@pytest.mark.parametrize("command", ["record --to x", "collect --to x"])
def test_an_impossible_option_of_an_address_is_refused_in_one_line(
    options: str, command: str, tmp_path: Path
) -> None:
    source = f"line://moulded?{options}"
    done = draem_in_process(*command.split(), "--source", source, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


@pytest.mark.parametrize(
    "source",
    [
        *("genicam://x?exposure_us=inf", "genicam://x?gain=nan", "genicam://x?frame_rate=1e999"),
        *("genicam://x?width=1e9&height=9&x=0&y=0", "genicam://x?x=0&y=0&width=0&height=9"),
        *("genicam://x?x=0&y=0&width=99999999999&height=9", "genicam://x?packet_delay=1e300"),
        *("replay://x?speed=nan", "replay://x?speed=inf", "replay://x?loop=maybe"),
        "99999999999",
    ],
)
def test_an_impossible_setting_of_a_camera_is_refused(source: str) -> None:
    with pytest.raises(CameraError, match=r"Input should|cannot be opened: check"):
        open_camera(source, triggered=False)
