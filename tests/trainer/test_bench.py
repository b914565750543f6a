"""`draem bench train`: its figures, and the recipe that a training is compared with."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from tests.support.commands import draem_in_process
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
