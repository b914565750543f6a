"""Steps: their number, the schedule of the learning rate, precision, and their losses."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.training import ALONE, CPU, small_settings
from trainer.data.sources import Images
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.training.batches import make_batches
from trainer.training.checkpoint import TrainingError
from trainer.training.distributed import ProcessGroup
from trainer.training.duration import count_steps
from trainer.training.presets import PRESETS
from trainer.training.state import initial_state, pick_precision
from trainer.training.train import check_finite, train_step


def test_epochs_and_minutes_become_steps(good_frames: NDArray[np.uint8]) -> None:
    images = Images(good_frames[:, :32, :32], good_frames[:4, :32, :32])
    assert count_steps(small_settings(epochs=5, batch=5), images, ALONE).steps == 25
    two = ProcessGroup(CPU, 0, 2)
    assert count_steps(small_settings(epochs=5, batch=5), images, two).steps == 5 * 3
    assert count_steps(small_settings(steps=9), images, ALONE).steps == 9
    few = count_steps(small_settings(minutes=0.02), images, ALONE).steps
    many = count_steps(small_settings(minutes=5), images, ALONE).steps
    assert 1 <= few < many


def test_the_paper_schedule_drops_at_80_and_90_percent() -> None:
    """Also where the epochs are no multiple of ten."""
    paper = {name: PRESETS["paper"][name] for name in ("schedule", "init")}
    state = initial_state(small_settings(**paper, steps=17, learning_rate=1e-4), ALONE)
    rates = []
    for _ in range(17):
        rates.append(state.optimizer.param_groups[0]["lr"])
        state.optimizer.step()
        state.schedule.step()
    assert rates == pytest.approx([1e-4] * 13 + [2e-5] * 2 + [4e-6] * 2)
    weight = state.model.state_dict()["discriminative.encoder_segment.block6.0.weight"]
    assert weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_a_step_under_bfloat16_computes_its_losses_in_float32(
    good_frames: NDArray[np.uint8],
) -> None:
    settings = small_settings(precision="bfloat16")
    state = initial_state(settings, ALONE)
    made = make_batches(settings, good_frames[:, :32, :32], Simulation(procedural), ALONE)
    losses = train_step(state, made(0), settings)
    exact = small_settings(precision="float32")
    expected = train_step(initial_state(exact, ALONE), made(0), exact)
    for rough, loss in zip(losses.values(), expected.values(), strict=True):
        assert rough.dtype == torch.float32
        assert rough.item() == pytest.approx(loss.item(), rel=0.05, abs=0.01)
    assert all(p.dtype == torch.float32 for p in state.model.parameters())
    assert pick_precision("float16", CPU) == torch.float16


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_refused(value: float) -> None:
    zero = torch.tensor(0.0)
    check_finite({"l2": zero, "focal": zero}, 3)
    with pytest.raises(TrainingError, match="at step 3: lower --learning-rate"):
        check_finite({"l2": zero, "focal": torch.tensor(value)}, 3)
