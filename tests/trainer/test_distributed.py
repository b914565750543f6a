"""Several processes under torchrun: one training, one product, one end."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edge.product.product import load_product
from tests.support.training import ALONE, CPU, SMALL, small_settings
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.training import checkpoint
from trainer.training.batches import make_batches
from trainer.training.distributed import ProcessGroup
from trainer.training.progress import LOG_EVERY
from trainer.training.state import initial_state
from trainer.training.train import total, train_step

STEP_OF_TWO = """
import sys, torch
from tests.support.training import small_settings
from trainer.training.state import initial_state
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.training.batches import make_batches
from trainer.training.train import total, train_step
from trainer.training.distributed import join
import numpy as np
with join(torch.device("cpu")) as group:
    settings = small_settings(clip=0)
    good = np.load(sys.argv[1])
    state = initial_state(settings, group)
    batches = make_batches(settings, good, Simulation(procedural), group)
    loss = total(train_step(state, batches(3), settings)).item()
    found = {"loss": loss, "model": {n: b.clone() for n, b in state.model.state_dict().items()},
             "grads": {n: p.grad.clone() for n, p in state.model.named_parameters()}}
    def note(model, images):
        found["second"] = {n: b.clone() for n, b in model.named_buffers()}
    state.model.register_forward_pre_hook(note)
    train_step(state, batches(4), settings)
    torch.save(found, f"{sys.argv[2]}/{group.rank}.pt")
"""

INTERRUPTED_IN_ONE = """
import os, signal, sys
from pathlib import Path
import numpy as np, torch
from tests.support.training import small_settings
from trainer.data.sources import Images
from trainer.training import train
from trainer.training.distributed import join
good, step = np.load(sys.argv[1]), train.train_step
with join(torch.device("cpu")) as group:
    def interrupted(state, batch, settings):
        if group.rank == 1 and state.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(state, batch, settings)
    train.train_step = interrupted
    settings = small_settings(steps=1000, validate_every=500)
    try:
        train.train(settings, Images(good, good[:4]), group, folder=Path("run"))
    except KeyboardInterrupt:
        Path(f"stopped.{group.rank}").touch()
"""

ENDED_BY_RANK_0 = """
import sys
from pathlib import Path
import numpy as np, torch
from tests.support.training import small_settings
from trainer.data.sources import Images
from trainer.training import train
from trainer.training.distributed import join
good = np.load(sys.argv[1])
with join(torch.device("cpu")) as group:
    train.settled = lambda curve: group.rank == 0 and len(curve) == 2  # rank 1 has no curve
    settings = small_settings(network="features", schedule="trapezoid", seg_width=8, steps=500,
                              validate_every=3, max_minutes=60)
    outcome = train.train(settings, Images(good, good[:4]), group)
    Path(f"steps.{group.rank}").write_text(str(outcome.steps))
"""

AGREED = """
import sys
import torch
from pathlib import Path
from trainer.training.distributed import join
with join(torch.device("cpu")) as group:
    same, other = "f" * 64, f"{group.rank}{'e' * 63}"
    Path(f"agreed.{group.rank}").write_text(f"{group.agrees(same)} {group.agrees(other)}")
"""


def torchrun(*words: str, cwd: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc-per-node", "2", *words]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def small_frames(good_frames: NDArray[np.uint8], tmp_path: Path) -> NDArray[np.uint8]:
    """Good frames of 32x32, and the same in good.npy."""
    small = np.ascontiguousarray(good_frames[:, :32, :32])
    np.save(tmp_path / "good.npy", small)
    return small


def test_two_processes_make_the_step_of_two_half_batches(
    small_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    (tmp_path / "step.py").write_text(STEP_OF_TWO)
    torchrun("step.py", "good.npy", str(tmp_path), cwd=tmp_path)
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    settings = small_settings(clip=0)
    gradients, statistics = [], []
    for rank in range(2):
        state = initial_state(settings, ALONE)
        group = ProcessGroup(CPU, rank, 2)
        halves = make_batches(settings, small_frames, Simulation(procedural), group)
        loss = total(train_step(state, halves(3), settings)).item()
        assert loss == pytest.approx(found[rank]["loss"], rel=1e-5)
        gradients.append({n: p.grad for n, p in state.model.named_parameters()})
        statistics.append(dict(state.model.named_buffers()))
    assert found[0]["loss"] != found[1]["loss"], "each process has its own half"
    for name, first in gradients[0].items():
        second = gradients[1][name]
        assert first is not None
        assert second is not None
        for one in found:
            mean = (first + second) / 2
            torch.testing.assert_close(one["grads"][name], mean, rtol=1e-4, atol=1e-7)
    for name, buffer in statistics[0].items():
        torch.testing.assert_close(found[0]["model"][name], buffer, rtol=1e-5, atol=1e-7)
        for one in found:  # the next step begins with rank 0's in both
            torch.testing.assert_close(one["second"][name], buffer, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("small_frames")
def test_ctrl_c_in_one_process_stops_both_and_saves(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_IN_ONE)
    torchrun("interrupted.py", "good.npy", cwd=tmp_path)
    assert {path.name for path in tmp_path.glob("stopped.*")} == {"stopped.0", "stopped.1"}
    assert checkpoint.load(tmp_path / "run").state["step"] == LOG_EVERY


def test_torchrun_trains_one_product(images: Path, tmp_path: Path) -> None:
    words = (str(images), "--product", "lid", *SMALL, "--steps", "6", "--validate-every", "3")
    torchrun("-m", "trainer", *words, cwd=tmp_path)
    product = load_product(tmp_path / "products", "lid")
    assert product.version == "1"
    assert product.manifest.origin["processes"] == 2
    assert not (tmp_path / "runs/lid/checkpoint.pt").exists()


def test_processes_end_early_at_the_same_step(
    small_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Rank 0 validates; if another one did not follow, the next step would wait for ever."""
    (tmp_path / "end.py").write_text(ENDED_BY_RANK_0)
    torchrun("end.py", "good.npy", cwd=tmp_path)
    steps = [int((tmp_path / f"steps.{rank}").read_text()) for rank in range(2)]
    assert steps == [6 + round(6 * 0.35 / 0.65)] * 2


def test_processes_notice_that_an_archive_gave_them_different_images(tmp_path: Path) -> None:
    """Each asks it, and a label may have come between."""
    assert ALONE.agrees("f" * 64)
    (tmp_path / "agreed.py").write_text(AGREED)
    torchrun("agreed.py", cwd=tmp_path)
    assert [(tmp_path / f"agreed.{rank}").read_text() for rank in range(2)] == ["True False"] * 2
