"""The learning rate's way, and trainings that end when nothing is gained."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.training import ALONE, small_settings
from trainer.data.sources import Images
from trainer.training import schedule
from trainer.training.schedule import Trapezoid, settled, trapezoid_of
from trainer.training.state import initial_state
from trainer.training.train import end_soon, train
from trainer.training.validate import Point


def points(*qualities: float) -> list[Point]:
    return [Point(100 * (i + 1), quality / 2, quality / 2) for i, quality in enumerate(qualities)]


def test_the_rate_warms_up_stays_and_decays() -> None:
    shape = Trapezoid(1000)
    rates = [shape(step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[100] == rates[649] == 1
    assert rates[825] == pytest.approx(0.5)
    assert rates[1000] == 0
    assert not shape.decays(649)
    assert shape.decays(650)


def test_the_decay_can_begin_earlier_and_never_later() -> None:
    shape = Trapezoid(1000)
    shape.end_soon(260)
    assert (shape.steps, shape.decay) == (400, 140)
    assert shape(259) == 1
    assert shape(330) == pytest.approx(0.5)
    shape = Trapezoid(300)
    shape.end_soon(250)
    assert shape.steps == 300


def test_a_curve_has_settled_when_its_last_validations_gained_nothing() -> None:
    assert not settled(points(1.0, 1.2, 1.2)), "too few"
    assert settled(points(1.2, 1.2, 1.1, 1.2))
    assert not settled(points(1.2, 1.2, 1.1, 1.21))
    assert not settled(points(1.0, 1.1, 1.2, 1.3))


def test_a_training_ends_when_nothing_is_gained(
    good_frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "GAIN", 3.0)  # of at most 2: nothing is ever gained
    small = good_frames[:, :32, :32]
    settings = small_settings(schedule="trapezoid", steps=500, validate_every=3, max_minutes=60)
    outcome = train(settings, Images(small, small[:4]), ALONE)
    assert outcome.steps == 12 + round(12 * 0.35 / 0.65)
    assert outcome.curve[-1].step == outcome.steps, "its last weights are validated too"


def test_a_resumed_training_ends_where_it_was_to_end() -> None:
    settings = small_settings(schedule="trapezoid", steps=1000, max_minutes=60)
    state = initial_state(settings, ALONE)
    state.step, state.curve = 260, points(1.2, 1.2, 1.1, 1.2)
    end_soon(state, settings, ALONE, validating=True)
    resumed = initial_state(settings, ALONE)
    resumed.restore(state.saved())
    shape = trapezoid_of(resumed.schedule)
    assert shape is not None
    assert (resumed.steps, shape.steps, shape.decay) == (400, 400, 140)
    end_soon(resumed, settings, ALONE, validating=True)
    assert resumed.steps == 400, "the last phase begins once"


def test_a_training_keeps_to_its_time(good_frames: NDArray[np.uint8]) -> None:
    """Whatever the machine does meanwhile: the last phase begins when two thirds are over."""
    settings = small_settings(schedule="trapezoid", steps=10**6, max_minutes=2 / 60)
    small = good_frames[:, :32, :32]
    outcome = train(settings, Images(small, small[:4]), ALONE)
    assert outcome.steps < 10**5
    assert outcome.curve[-1].step == outcome.steps


def test_a_chosen_length_is_kept(
    good_frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "GAIN", 3.0)
    small = good_frames[:, :32, :32]
    settings = small_settings(schedule="trapezoid", steps=30, validate_every=3, max_minutes=None)
    assert train(settings, Images(small, small[:4]), ALONE).steps == 30
