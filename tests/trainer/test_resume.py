"""Interrupted trainings: killed, stopped by Ctrl-C, resumed to the same weights, never mixed up."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from edge.product.product import load_product, versions
from tests.conftest import write_parts
from tests.support.commands import draem_in_process
from tests.support.training import ALONE, SMALL, small_settings
from trainer.training import checkpoint
from trainer.training.checkpoint import Checkpoint
from trainer.training.job import TrainingJob, read_sources, run_job
from trainer.training.state import initial_state


def start(cwd: Path, *words: str) -> subprocess.Popen[str]:
    """`draem train` in a process that can be killed."""
    command = [sys.executable, "-m", "draem", "train", *words]
    return subprocess.Popen(command, cwd=cwd, text=True, stderr=subprocess.PIPE)


def wait_for_checkpoint(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the checkpoint is written, or written again."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    deadline = time.monotonic() + 120
    while not path.exists() or path.stat().st_mtime_ns == before:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def weights(root: Path) -> dict[str, torch.Tensor]:
    product = load_product(root / "products", "lid")
    path = root / "runs/lid" / f"{product.model_digest[:12]}.pt"
    loaded: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return loaded


def test_a_training_killed_and_resumed_ends_with_the_same_weights(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = (str(images), "--product", "lid", *SMALL, "--steps", "15", "--validate-every", "3")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    assert draem_in_process("train", *words, cwd=whole).returncode == 0
    kept = killed / "runs/lid/checkpoint.pt"
    process = start(killed, *words)
    wait_for_checkpoint(kept, process)
    kill(process)  # before the first validation
    process = start(killed, "--resume", "--product", "lid")
    wait_for_checkpoint(kept, process)
    time.sleep(random.uniform(0, 0.2))  # to kill it in a step, in a validation or while it writes
    kill(process)
    assert kept.exists(), "killed too late to test anything"
    with caplog.at_level("INFO"):
        resumed = draem_in_process("train", "--resume", "--product", "lid", cwd=killed)
    assert resumed.returncode == 0, resumed.stderr
    last = re.search(r"resuming at step (\d+) of 15", caplog.text)
    assert last is not None
    assert int(last[1]) >= 3, "finished steps are not trained again"
    one, other = weights(whole), weights(killed)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not kept.exists()
    curves = [json.loads((p / "products/lid/1/training.json").read_text())["curve"]
              for p in (whole, killed)]  # fmt: skip
    assert curves[0] == curves[1]
    assert [point["step"] for point in curves[0]] == list(range(3, 16, 3))
    page = (killed / "runs/lid/training.html").read_text()
    assert page.count("<svg") == 1
    assert page.count("<img") == 12
    assert "rec_width=4" in page


def test_a_training_killed_after_its_product_was_written_does_not_write_it_twice(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"products": tmp_path / "products", "runs": tmp_path / "runs"}
    job = TrainingJob("lid", tmp_path / "runs", small_settings(images=images, steps=2, **places))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "discard", lambda folder: None)  # as if it was killed before
        run_job(job)
    assert checkpoint.exists(job.folder)
    current = tmp_path / "products/lid/current"
    current.unlink()  # or even a moment earlier
    kept = checkpoint.load(job.folder)
    again = run_job(TrainingJob("lid", tmp_path / "runs", None))
    assert again is not None
    assert again.version == "1"
    assert versions(tmp_path / "products", "lid") == [1]
    assert current.resolve().name == "1"
    assert not checkpoint.exists(job.folder)
    state = kept.state | {"seconds": kept.state["seconds"] + 1}
    Checkpoint(kept.settings, kept.images, 1, state).save(job.folder)
    another = run_job(TrainingJob("lid", tmp_path / "runs", None))
    assert another is not None
    assert another.version == "2", "that is another training"


def test_an_unfinished_training_is_neither_lost_nor_mixed_up(images: Path, tmp_path: Path) -> None:
    words = (str(images), "--product", "lid", *SMALL, "--steps", "2000", "--validate-every", "2")
    resume = ("train", "--resume", "--product", "lid")
    kept = tmp_path / "runs/lid/checkpoint.pt"
    process = start(tmp_path, *words)
    wait_for_checkpoint(kept, process)
    second = draem_in_process("train", *words, "--restart", cwd=tmp_path)
    assert second.returncode == 2
    assert "another training" in second.stderr
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "draem train --resume --product lid" in stderr

    def refused(*words: str) -> str:
        done = draem_in_process(*words, cwd=tmp_path)
        assert done.returncode == 2
        return " ".join(done.stderr.split())

    message = refused("train", *words)
    assert "--resume" in message
    assert "--restart" in message
    assert "leave out --steps" in refused(*resume, "--steps", "5")
    next(iter(images.iterdir())).unlink()
    assert "have changed since the training started" in refused(*resume)
    kept.write_bytes(b"torn")
    assert "--restart" in refused(*resume)
    restart = ("train", *words[:3], *SMALL, "--steps", "2", "--restart")
    assert draem_in_process(*restart, cwd=tmp_path).returncode == 0
    assert not kept.exists()
    assert "leave out --resume" in refused(*resume)


def test_other_textures_are_another_training(images: Path, tmp_path: Path) -> None:
    (picture,) = write_parts(tmp_path / "textures", 1, seed=8)
    settings = small_settings(images=str(images), textures=str(tmp_path / "textures"))
    before = read_sources(settings).training_images().digest
    assert before == read_sources(settings).training_images().digest
    picture.write_bytes(write_parts(tmp_path / "other", 1, seed=9)[0].read_bytes())
    assert read_sources(settings).training_images().digest != before


def test_a_training_of_two_processes_is_not_resumed_by_one(images: Path, tmp_path: Path) -> None:
    settings = small_settings(images=str(images), products=str(tmp_path / "products"))
    digest = read_sources(settings).training_images().digest
    state = initial_state(settings, ALONE).saved()
    Checkpoint(settings, digest, 2, state).save(tmp_path / "runs/lid")
    done = draem_in_process("train", "--resume", "--product", "lid", cwd=tmp_path)
    assert done.returncode == 2
    assert "torchrun --nproc-per-node 2 -m trainer --resume --product lid" in done.stderr


def test_a_training_that_began_before_there_was_a_memory_is_resumed_without_one(
    tmp_path: Path,
) -> None:
    state = initial_state(small_settings(memory=0), ALONE).saved()
    Checkpoint(small_settings(memory=0), "digest", 1, state).save(tmp_path)
    saved = torch.load(tmp_path / checkpoint.NAME, weights_only=True)
    settings = json.loads(saved["settings"])
    del settings["memory"]
    torch.save(saved | {"settings": json.dumps(settings)}, tmp_path / checkpoint.NAME)
    assert checkpoint.load(tmp_path).settings.memory == 0


def test_a_checkpoint_of_other_networks_is_one_line() -> None:
    saved = initial_state(small_settings(), ALONE).saved()
    other = initial_state(small_settings(rec_width=8), ALONE)
    with pytest.raises(checkpoint.TrainingError, match="start again with --restart"):
        other.restore(saved)
