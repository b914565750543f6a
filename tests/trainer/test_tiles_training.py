"""Training on crops of large pictures: what is drawn, which sizes, and a product of it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edge.base.errors import ImageError, SettingsError
from edge.engine import runtimes
from edge.engine.verify import FULL, compare
from edge.product.product import load_product
from edge.vision.geometry import Geometry
from edge.vision.image_files import read_image
from tests.conftest import write_masks, write_parts
from tests.support.commands import draem_in_process
from tests.support.training import ALONE, CPU, small_settings
from trainer.commands.bench import describe
from trainer.data.pictures import Corner, Pictures
from trainer.data.sources import Images, load_sources
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.training.batches import make_batches, training_images
from trainer.training.crops import Crops, rotation_margin
from trainer.training.options import chosen, complete_settings
from trainer.training.picture_size import Scale, with_size
from trainer.training.save_product import load_weights
from trainer.training.torch_engine import torch_engine

HEIGHT, WIDTH = 90, 131


def pictures(count: int = 4) -> Pictures:
    """Each pixel says where it is: its row, its column, its picture."""
    store = np.zeros((count, HEIGHT, WIDTH, 3), np.uint8)
    store[..., 0] = np.arange(HEIGHT)[None, :, None]
    store[..., 1] = np.arange(WIDTH)[None, None]
    store[..., 2] = np.arange(count)[:, None, None]
    return Pictures(store, list(range(count)))


def corners(drawn: torch.Tensor) -> list[tuple[int, ...]]:
    return [tuple(crop[[2, 0, 1], 0, 0].tolist()) for crop in drawn]


def test_crops_of_tiles_lie_inside_their_pictures_and_reach_every_border() -> None:
    crops = Crops(pictures(), 32, 64, CPU)
    seen: list[tuple[int, ...]] = []
    generator = torch.Generator().manual_seed(1)
    for _ in range(100):
        drawn = crops.draw([2, 0, 3], generator)
        assert drawn.shape == (3, 3, 32, 64)
        assert drawn[:, 2].amax((1, 2)).tolist() == [2, 0, 3]
        assert (drawn[:, 0, 31, 0] - drawn[:, 0, 0, 0]).tolist() == [31] * 3
        seen += corners(drawn)
    rows, columns = {y for _, y, _ in seen}, {x for _, _, x in seen}
    assert {0, HEIGHT - 32} <= rows and len(rows) > 30  # noqa: PT018
    assert {0, WIDTH - 64} <= columns and len(columns) > 30  # noqa: PT018


def test_a_crop_beyond_the_border_is_mirrored_and_its_middle_is_as_it_was() -> None:
    crop = pictures().crops([Corner(1, -3, WIDTH - 30)], 40, 36)[0]
    assert crop.shape == (40, 36, 3)
    assert crop[:5, 0, 0].tolist() == [2, 1, 0, 0, 1]
    assert crop[0, -8:, 1].tolist() == [129, 130, 130, 129, 128, 127, 126, 125]


@pytest.mark.parametrize(("degrees", "margin"), [(0, 0), (180, 14), (45, 14), (3, 2)])
def test_a_rotation_of_a_tile_needs_what_lies_around_it(degrees: float, margin: int) -> None:
    """A square of 64 that stands on its corner is 91 wide."""
    assert rotation_margin(64, 64, degrees) == margin


def test_batches_of_tiles_depend_on_seed_and_step_alone() -> None:
    """So that an interrupted training goes on with the crops that it would have had."""
    settings = small_settings(
        tile_height=32, tile_width=32, height=HEIGHT, width=WIDTH, rotation=20, light=0.1
    )
    one, other = (
        make_batches(settings, pictures(), Simulation(procedural), ALONE) for _ in range(2)
    )
    forwards = [one(step) for step in range(6)]
    backwards = [other(step) for step in reversed(range(6))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert torch.equal(a.simulated.images, b.simulated.images)
    assert forwards[0].good.shape == (4, 3, 32, 32)
    assert len({tuple(b.good.flatten().tolist()) for b in forwards}) == 6
    seen = sorted(i for step in range(3) for i in one.chosen(step).tolist())
    assert seen == sorted([0, 1, 2, 3] * 3), "each picture as often as the others"


def test_a_training_in_tiles_validates_on_the_same_crops_each_time(images: Path) -> None:
    settings = small_settings(
        images=images, tile_height=32, tile_width=32, height=45, width=60, seed=3
    )
    sources = load_sources(images, settings.fit, 3)
    one, other = (training_images(settings, sources) for _ in range(2))
    assert isinstance(one.train, Pictures)
    assert one.train.store is sources.images, "large pictures are not copied"
    assert one.validation.shape == (64, 32, 32, 3)
    assert (one.validation == other.validation).all()
    assert one.digest == Images(sources.part("train"), one.validation, sources.digest).digest
    assert not one.gray


def sizes(folder: Path, *words: str, geometry: Geometry | None = None) -> tuple[object, ...]:
    """Height, width, and those of the tile, of settings from options."""
    import argparse

    from trainer.commands.train import add_arguments
    from trainer.training.options import given_settings

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = parser.parse_args([str(folder), "--network", "pixels", *words])
    given = given_settings(options) | ({"geometry": geometry} if geometry else {})
    places = {"product": "lid", "products": folder, "runs": folder}
    s = complete_settings(chosen(given) | places)
    return s.height, s.width, s.tile_height, s.tile_width


def test_the_size_of_pictures_in_tiles_is_their_own_or_what_is_asked_for(tmp_path: Path) -> None:
    write_parts(tmp_path, 3, seed=0)  # of 320x240
    measured = Geometry(frame=(320, 240), mm_per_pixel=0.2)
    for words, wanted in {
        (): (128, 128, None, None),
        ("--tile", "96"): (240, 320, 96, 96),
        ("--tile", "256x64"): (240, 320, 224, 64),
        ("--tile", "64", "--scale", "0.4"): (96, 128, 64, 64),
        ("--tile", "64", "--input", "100x131"): (100, 131, 64, 64),
        ("--tile", "64", "--mm-per-pixel", "0.3"): (160, 213, 64, 64),
        ("--scale", "0.5"): (128, 160, None, None),
    }.items():
        geometry = measured if "--mm-per-pixel" in words else None
        assert sizes(tmp_path, *words, geometry=geometry) == wanted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--input", "100x131"), "without --tile the sides are multiples of 32"),
        (("--input", "64", "--tile", "96"), "smaller than the tile of 96"),
        (("--input", "64", "--scale", "1"), "--input and --scale exclude each other"),
        (("--mm-per-pixel", "0.1"), "measure it with 'draem station'"),
        (("--tile", "4096"), "an input has at most"),
        (("--tile", "64", "--scale", "0.1"), "--scale 0.1 makes the pictures 32x24"),
        (("--tile", "64", "--mm-per-pixel", "2"), "--mm-per-pixel 2 makes the pictures 32x24"),
    ],
)
def test_a_size_for_tiles_that_cannot_be_is_one_line(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    write_parts(tmp_path, 3, seed=0)  # of 320x240
    measured = Geometry(frame=(320, 240), mm_per_pixel=0.2) if words[-1] == "2" else None
    with pytest.raises(SettingsError, match=message):
        sizes(tmp_path, *words, geometry=measured)


def test_large_pictures_say_that_tiles_keep_their_scale(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for i, side in enumerate((900, 300)):
        (tmp_path / str(i)).mkdir()
        cv2.imwrite(str(tmp_path / f"{i}/a.png"), np.zeros((side, side), np.uint8))
        with caplog.at_level("INFO"):
            with_size({"images": tmp_path / str(i)})
    assert len(caplog.messages) == 1
    assert "narrower than 3 of their pixels may be lost; '--tile 320'" in caplog.messages[0]
    assert with_size({"images": tmp_path / "0", "scale": Scale(share=0.5)})["height"] == 448


def test_pictures_for_tiles_that_no_disk_holds_are_refused_in_one_line(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.base import large_arrays

    monkeypatch.setattr(large_arrays, "IN_MEMORY", 0)
    settings = small_settings(height=45, width=60, tile_height=32, tile_width=32)
    kept = load_sources(images, settings.fit, 0, runs=tmp_path / "runs").images
    assert isinstance(kept, np.memmap)
    assert not list((tmp_path / "runs").iterdir()), "a file without a name, which is never left"
    monkeypatch.setattr(large_arrays, "IN_MEMORY", 2 << 30)
    assert (load_sources(images, settings.fit, 0).images == kept).all()
    monkeypatch.setattr(large_arrays, "IN_MEMORY", 0)
    monkeypatch.setattr(large_arrays, "LEFT_FREE", 1 << 60)
    with pytest.raises(ImageError, match=r"has no room for the pictures, which take 0\.0 GB: free"):
        load_sources(images, settings.fit, 0, runs=tmp_path / "runs")


def test_a_product_in_tiles_from_training_to_its_verdicts(tmp_path: Path) -> None:
    """Pictures of 160x120, which no network could take as they are, in tiles of 64."""
    write_parts(tmp_path / "set/train/good", 24, seed=5)
    write_parts(tmp_path / "set/test/good", 6, seed=6)
    write_masks(tmp_path / "set", write_parts(tmp_path / "set/test/bad", 3, 7, defective=True))
    small = ("--network", "pixels", "--widths", "4/8", "--batch", "4", "--steps", "60",
             "--learning-rate", "6e-3", "--simulation", "paper", "--score-window", "5")  # fmt: skip
    lid, found = ("--product", "lid"), []
    for words in (
        ("train", "set", *lid, *small, "--tile", "64", "--scale", "0.5"),
        ("build", *lid),
        ("calibrate", *lid, "--images", "set/train/good", "--each-frame"),
        ("build", *lid),
        ("inspect", "set/test/good", *lid, "--json"),
        ("evaluate", "set", *lid, "--json"),
        ("bench", "line", *lid, "--frames", "2", "--json"),
    ):
        done = draem_in_process(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.append(done)
    product = load_product(tmp_path / "products", "lid")
    assert (product.fit.height, product.fit.width, product.shape) == (120, 160, (64, 64))
    assert {json.loads(line)["verdict"] for line in found[4].stdout.splitlines()} <= {"OK", "NG"}
    assert json.loads(found[5].stdout)["defective"] == 3
    compared = json.loads(found[6].stdout)["compared"]
    assert "torch eager" in compared
    assert "torch eager, the paper's 128/64" not in compared, "it has no tiles"
    assert describe(product) == "160x120 in 12 tiles of 64x64"
    eager = torch_engine(
        load_weights(product, tmp_path / "runs"), product.fit, product.manifest.tile
    )
    picture = product.fit(read_image(next((tmp_path / "set/test/bad").iterdir())))[0][None]
    with runtimes.load(product) as engine:
        compared = compare(*engine.infer(picture), *eager.infer(picture))
    assert compared.within(FULL)
    kept: NDArray[np.uint8] = cv2.imread(str(product.path / "calibration/000.png"))  # type: ignore[assignment]
    assert kept.shape == (120, 160, 3), "whole pictures prove an engine"
