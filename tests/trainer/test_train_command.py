"""`draem train`: its options, mistakes, preview, curves, and images marked on the line."""

import argparse
import json
import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.flop_counter import FlopCounterMode

from edge.base.errors import ImageError, SettingsError
from edge.vision.fit import Fit
from tests.conftest import Plant, draem
from tests.support.commands import draem_in_process
from tests.support.training import SMALL
from trainer.commands.train import add_arguments
from trainer.data.input_size import seen_by, usual_size
from trainer.data.sources import MIN_CALIBRATION_IMAGES, assign_splits
from trainer.network.pixels.model import Draem
from trainer.training.options import (
    SIZES_HELP,
    chosen,
    given_settings,
    make_settings,
)
from trainer.training.picture_size import with_size
from trainer.training.presets import PRESETS, SIZES
from trainer.training.settings import TrainSettings

RESULTS = Path(__file__).parents[2] / "docs/results.json"
PLACES = {"images": "good", "product": "lid", "products": "products"}


def settings_from(*words: str) -> TrainSettings:
    """The settings of a command line."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = given_settings(parser.parse_args(["good", *words]))
    return make_settings(chosen(given) | {"product": "lid", "products": "unused"})


def test_options_become_settings() -> None:
    made = settings_from(
        "--rotation", "5", "--mirror", "--light", "0.2", "--seed", "7", "--score-window", "5",
        "--textures", "pictures", "--precision", "float32", "--crop", "1,2,64,96",
    )  # fmt: skip
    assert (made.rotation, made.mirror, made.light) == (5, True, 0.2)
    assert (made.seed, made.score_window, made.precision) == (7, 5, "float32")
    assert (made.images, made.textures) == (Path("good"), Path("pictures"))
    assert made.crop == (1, 2, 64, 96)
    assert (made.learning_rate, made.steps, made.simulation) == (2e-3, 3000, "mixed")


def test_each_network_has_defaults_of_its_own() -> None:
    features, pixels = settings_from(), settings_from("--network", "pixels")
    assert (features.network, features.rec_width, features.batch) == ("features", 32, 8)
    assert (features.schedule, features.max_minutes) == ("trapezoid", 10)
    assert (pixels.rec_width, pixels.seg_width, pixels.height, pixels.batch) == (16, 8, 128, 4)
    assert (pixels.schedule, pixels.max_minutes, pixels.steps) == ("one-cycle", None, 4000)
    assert (features.memory, pixels.memory) == (2048, 0)
    assert settings_from("--size", "tiny").network == "pixels", "sizes are of pixels only"
    assert settings_from("--steps", "9").max_minutes is None
    for words, message in (
        (("--network", "features", "--size", "tiny"), "leave them out"),
        (("--network", "pixels", "--max-minutes", "5"), "--max-minutes is for --network features"),
        (("--size", "tiny", "--backbone", "lite1"), "--backbone is for --network features"),
        (("--network", "pixels", "--memory", "64"), "--memory is for --network features"),
        (("--preset", "paper", "--memory", "64"), "--memory is for --network features"),
        (("--steps", "9", "--max-minutes", "5"), "--steps sets the length"),
    ):
        with pytest.raises(SettingsError, match=message):
            settings_from(*words)


def input_size_of(paths: list[Path], fit: Fit) -> tuple[int, int]:
    return usual_size(seen_by(paths, fit, None))


def test_the_input_has_the_proportions_of_the_images(tmp_path: Path) -> None:
    for name, (height, width) in {"a": (600, 300), "b": (610, 290), "c": (50, 900)}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((height, width), np.uint8))
    paths = sorted(tmp_path.iterdir())
    assert input_size_of(paths, Fit(1, 1)) == (448, 224)
    assert input_size_of(paths[:1], Fit(1, 1, crop=(0, 0, 300, 200))) == (256, 384)
    small = input_size_of(paths[:1], Fit(1, 1, crop=(0, 0, 64, 32)))
    assert small == (64, 128), "enlarged at most twice"
    with pytest.raises(ImageError, match="choose another --crop"):
        input_size_of(paths, Fit(1, 1, crop=(0, 0, 300, 200)))
    with pytest.raises(ImageError, match="no good images"):
        input_size_of([], Fit(1, 1))
    given = {"images": tmp_path, "network": "features"}
    assert with_size(given) == given | {"height": 448, "width": 224}
    assert with_size(given | {"height": 64, "width": 64})["height"] == 64


def test_options_replace_the_settings_of_a_preset() -> None:
    paper = settings_from("--preset", "paper")
    assert (paper.height, paper.epochs, paper.simulation, paper.window) == (256, 700, "paper", 21)
    short = settings_from("--preset", "paper", "--steps", "9", "--size", "tiny", "--input", "64x32")
    assert (short.epochs, short.steps) == (None, 9)
    assert (short.rec_width, short.seg_width, short.height, short.width) == (8, 4, 64, 32)
    assert short.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("given", "window"),
    [
        ({}, 13),
        ({"network": "pixels", "height": 128, "width": 128}, 3),
        ({"network": "pixels", "height": 256, "width": 256}, 5),
        ({"network": "pixels", "height": 64, "width": 256}, 1),
        ({"score_window": 7}, 7),
        (PRESETS["paper"], 21),
        (PRESETS["paper"] | {"height": 128, "width": 128}, 11),
    ],
)
def test_the_settings_choose_the_window(given: dict[str, object], window: int) -> None:
    assert TrainSettings.model_validate(PLACES | given).window == window


@pytest.mark.parametrize("window", [2, 0, -1, 257])
def test_a_window_without_a_middle_is_refused(window: int) -> None:
    with pytest.raises(SettingsError, match="--score-window"):
        make_settings(PLACES | {"score_window": window})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "cuda"), "no CUDA device"),
        (("--batch", "1"), "no statistics"),
        (("--minutes", "inf"), "--minutes"),
        (("--seed", "99999999999999999999"), "--seed"),
        (("--widths", "4/0"), "--widths"),
        (("--steps", "3", "--epochs", "2"), "exclude each other"),
        (("--learning-rate", "1e20", "--validate-every", "3"), "lower --learning-rate"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], message: str, images: Path, tmp_path: Path
) -> None:
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = draem_in_process("train", str(images), "--product", "lid", *SMALL, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "products/lid/1").exists()


def test_the_named_sizes_are_what_their_help_says() -> None:
    rows = [row for row in json.loads(RESULTS.read_text()) if row["study"] == "times"]
    measured = {row["widths"]: row["value"] for row in rows}
    said = re.findall(r"(\w+) (\d+/\d+), .*: ([\d.]+) M, ([\d.]+) GMAC, (\d+) ms", SIZES_HELP)
    assert {name: widths for name, widths, *_ in said} == {
        name: f"{rec}/{seg}" for name, (rec, seg) in SIZES.items()
    }
    for name, widths, parameters, gmac, milliseconds in said:
        with torch.device("meta"):
            model = Draem(*SIZES[name])
        assert f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}" == parameters
        with FlopCounterMode(display=False) as counted:
            model.eval()(torch.empty(1, 3, 256, 256, device="meta"))
        assert counted.get_total_flops() / 2e9 == pytest.approx(float(gmac), abs=0.06)
        assert float(milliseconds) == pytest.approx(measured[widths], rel=0.05)


def test_measured_results_name_their_command_machine_and_date() -> None:
    rows = json.loads(RESULTS.read_text())
    assert all({"figure", "value", "command", "machine", "date"} <= row.keys() for row in rows)


def test_marked_images_count_for_no_share() -> None:
    """However many were marked on the line, as many others are set aside as without them."""
    others, marked = [f"good{i}" for i in range(20)], {f"marked{i}" for i in range(50)}
    for seed in range(20):
        splits = assign_splits([*others, *sorted(marked)], seed, marked)
        assert set(splits[20:]) == {"train"}
        assert splits.count("validation") == 2
        assert splits.count("calibration") == MIN_CALIBRATION_IMAGES


def test_frames_marked_on_the_line_are_trained_from_with_their_provenance(
    images: Path, calibrated: Plant, tmp_path: Path
) -> None:
    """A false reject of a real line, marked, among the images of the next product."""
    (tmp_path / "products").symlink_to(calibrated.products)
    line = ("--source", "line://moulded?rate=0&parts=3&seed=3", "--endpoint", "ipc://bus")
    ran = draem("run", "--product", "lid", *line, "--ok-one-in", "1", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    marked = draem_in_process("log", "mark", "2", "false-reject", cwd=tmp_path)
    assert marked.returncode == 0, marked.stderr
    folder = tmp_path / "data/station-1/marked/false-reject"
    words = ("--product", "again", *SMALL, "--steps", "2", "--products", "made")
    done = draem_in_process("train", str(images), "--also", str(folder), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "made/again/1/sources.json").read_text())["images"]
    (row,) = [row for row in rows if "marked" in row]
    known = row["marked"]
    assert (known["as"], known["station"], known["inspection_id"], known["product"]) == (
        "false-reject",
        "station-1",
        2,
        "lid",
    )
    assert row["split"] == "train", "it was selected by a person"
    assert len(rows) == len(list(images.iterdir())) + 1


def test_the_preview_is_a_sheet_and_no_training(images: Path, tmp_path: Path) -> None:
    words = ("--product", "lid", *SMALL, "--preview", "sheet.png")
    done = draem_in_process("train", str(images), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (8 * 32, 6 * 32, 3)
    masks = sheet[:, 64:96]
    assert set(np.unique(masks)) == {0, 255}
    assert not (tmp_path / "products").exists()


def test_tensorboard_has_the_curves(images: Path, tmp_path: Path) -> None:
    words = (str(images), "--product", "lid", *SMALL, "--steps", "20", "--validate-every", "10")
    assert draem_in_process("train", *words, cwd=tmp_path).returncode == 0
    events = EventAccumulator(str(tmp_path / "runs/lid/tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("validation/pixel_ap")] == [10, 20]
    assert [e.step for e in events.Scalars("loss/ssim")] == [1, 10, 20]
    assert all(math.isfinite(e.value) for e in events.Scalars("loss/focal"))
