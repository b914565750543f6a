"""`draem bench train`: its figures, and the recipe that a training is compared with."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from edge.base.errors import EngineError
from edge.vision.image_files import write_png
from tests.support.commands import draem_in_process
from tests.support.minimal_station import PRODUCT
from tests.support.numbered_pictures import pictures
from trainer.studies.bench_stages import frames
from trainer.studies.bench_training import SingleImages


def test_images_simulated_one_at_a_time_make_sound_batches(good_frames: NDArray[np.uint8]) -> None:
    good, made, mask = next(iter(DataLoader(SingleImages(good_frames, 40), 40)))
    assert good.shape == made.shape == (40, 3, 64, 64)
    changed = (good != made).any(dim=1)
    assert not (changed & (mask == 0)).any()
    empty = (mask.amax(dim=(1, 2)) == 0).float().mean()
    assert 0.3 < empty < 0.8
    assert made.min() >= 0
    assert made.max() <= 1
    assert made.is_contiguous()


def test_bench_train_gives_its_figures(tmp_path: Path) -> None:
    words = ("--widths", "4/4", "--input", "32", "--batch", "2", "--pairs", "2", "--json")
    done = draem_in_process("bench", "train", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert 0 < figures["simulation_share"] < 1
    assert 0 < figures["batch_ms"] < figures["step_ms"]
    assert figures["ratio"] > 0
    assert figures["authors_step_ms"] > 0
    assert figures["pairs"] == 2


def test_bench_takes_a_source_of_few_frames(tmp_path: Path) -> None:
    """It failed on sources of fewer than fifty."""
    for number, image in enumerate(pictures(3)):
        write_png(tmp_path / f"{number}.png", image)
    (tmp_path / "3.png").write_bytes(b"not a picture")
    assert [frame.frame_id for frame in frames(PRODUCT, str(tmp_path))] == [1, 2, 3]


def test_bench_without_any_frame_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"not a picture")
    with pytest.raises(EngineError, match="gave no frame: name another --source"):
        frames(PRODUCT, str(tmp_path))
