"""Thresholds that keep their promised rates, and ranges that notice a dead lamp."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from calibration.threshold.limits import doubled, smallest_area, widened
from calibration.threshold.quantiles import (
    Costs,
    balanced_threshold,
    escapes,
    parts_needed,
    score_threshold,
)
from edge.base.errors import ImageError
from tests.conftest import Plant


def test_the_false_reject_rate_is_kept_on_average() -> None:
    """Split conformal prediction promises exactly this, whatever the distribution."""
    rng = np.random.default_rng(0)
    for rate, count in ((0.05, 60), (0.01, 300), (0.005, 50)):
        rejected = []
        for _ in range(400):
            scores = rng.beta(2, 20, size=count)
            threshold = score_threshold(scores, rate)
            rejected.append((rng.beta(2, 20, size=2000) >= threshold.value).mean())
        promised = threshold.expected
        assert np.mean(rejected) <= promised * 1.15, (rate, count)
        assert promised <= max(rate, 1 / (count + 1)) + 1e-9


def test_a_good_frame_at_its_own_threshold_is_not_rejected() -> None:
    scores = np.array([0.1, 0.3, 0.2], np.float32).astype(np.float64)
    assert score_threshold(scores, 0.01).value > 0.3


def test_a_range_holds_its_values_and_not_a_dead_lamp() -> None:
    brightness = widened([95.0, 100.0, 105.0])
    assert brightness.contains(90)
    assert not brightness.contains(5)
    assert not brightness.contains(float("nan"))
    assert widened([7.0, 7.0]).contains(7.5)
    sharpness = doubled([400.0, 500.0])
    assert sharpness.contains(900)
    assert not sharpness.contains(150)


@pytest.mark.parametrize("values", [[0.0, 5.0], [10.0, 25.0, 40.0], [1.0, 100.0]])
def test_no_range_holds_darkness(values: list[float]) -> None:
    """However much good frames vary, a black picture is none of them."""
    if min(values) == 0:
        for make in (widened, doubled):
            with pytest.raises(ImageError, match="lamp and lens"):
                make(values)
    else:
        assert not widened(values).contains(0)
        assert not doubled(values).contains(0)


def test_a_defect_among_the_good_frames_cannot_open_the_gate() -> None:
    """A score of 1 in 40 would make a threshold that nothing reaches."""
    with pytest.raises(ImageError, match="nothing could be rejected"):
        score_threshold(np.array([0.1] * 40 + [1.0]), 0.005)


@pytest.mark.parametrize(("count", "rate"), [(199, 0.005), (99, 0.01), (19, 0.05), (999, 0.001)])
def test_just_enough_frames_are_enough(count: int, rate: float) -> None:
    scores = np.linspace(0.1, 0.2, count)
    assert score_threshold(scores, rate).expected <= rate + 1e-9


Population = Callable[[np.random.Generator, int], NDArray[np.float64]]


def populations(real: list[float]) -> list[tuple[Population, Callable[[float], float]]]:
    """Ways to draw good scores, each with the true share at or above a threshold."""
    resampled = np.array(real)
    return [
        (lambda rng, n: rng.beta(2, 20, n), lambda t: float(stats.beta.sf(t, 2, 20))),
        (lambda rng, n: rng.uniform(0, 0.9, n), lambda t: max(0.0, 1 - t / 0.9)),
        (
            lambda rng, n: np.minimum(rng.lognormal(-3, 1, n), 0.99),
            lambda t: float(stats.lognorm.sf(t, 1, scale=np.exp(-3))) if t <= 0.99 else 0.0,
        ),
        (lambda rng, n: rng.choice(resampled, n), lambda t: float((resampled >= t).mean())),
    ]


@pytest.mark.parametrize(("count", "rate"), [(40, 0.05), (150, 0.01), (700, 0.005)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_calibration_bounds_hold_as_often_as_they_say(
    calibrated: Plant, count: int, rate: float, confidence: float
) -> None:
    """200 calibrations of each population: the true rate passes its bound no more often."""
    assert calibrated.product.calibration is not None
    allowed = stats.binom.ppf(0.999, 200, 1 - confidence)
    for number, (draw, true_rate) in enumerate(populations(calibrated.product.calibration.scores)):
        rng = np.random.default_rng((count, number))
        broken = 0
        for _ in range(200):
            made = score_threshold(draw(rng, count), rate, confidence)
            broken += true_rate(made.value) > made.bound
        assert broken <= allowed, (number, broken)


def test_calibration_bounds_are_no_wider_than_they_must_be() -> None:
    """A bound that is never passed would say nothing: a fifth of 80 % bounds is."""
    rng = np.random.default_rng(1)
    made = [score_threshold(rng.uniform(0, 0.9, 150), 0.01, 0.8) for _ in range(400)]
    broken = np.mean([1 - t.value / 0.9 > t.bound for t in made])
    assert 0.14 < broken < 0.26


def test_calibration_by_costs_keeps_its_bounds() -> None:
    """The threshold is chosen by looking at both kinds of parts, and still the bounds hold."""
    rng, costs = np.random.default_rng(2), Costs(reject=1, escape=50, bad_share=0.02)
    broken = Counter[str]()
    for _ in range(200):
        good, bad = rng.beta(2, 12, 80), rng.beta(5, 8, 40)
        made = balanced_threshold(good, bad, costs)
        missed = escapes(bad, made.value, 1 - 0.05 / len(good))
        broken["rejects"] += stats.beta.sf(made.value, 2, 12) > made.bound
        broken["escapes"] += stats.beta.cdf(made.value, 5, 8) > missed.bound
    assert max(broken.values(), default=0) <= stats.binom.ppf(0.999, 200, 0.05)


def test_calibration_by_costs_follows_the_costs() -> None:
    rng = np.random.default_rng(3)
    good, bad = rng.beta(2, 12, 300), rng.beta(5, 8, 100)
    dear, cheap = (balanced_threshold(good, bad, Costs(1, e, 0.05)) for e in (1000, 1))
    assert dear.value < cheap.value
    assert (bad < dear.value).sum() < (bad < cheap.value).sum()
    assert dear.expected > cheap.expected


def test_calibration_says_how_many_parts_are_needed() -> None:
    for rate, confidence in ((0.01, 0.95), (0.005, 0.9), (0.05, 0.99)):
        expected, bound = parts_needed(rate, confidence)
        scores = np.linspace(0.1, 0.2, bound)
        assert score_threshold(scores[:expected], rate).expected <= rate + 1e-9
        assert score_threshold(scores[: expected - 1], rate).expected > rate
        assert score_threshold(scores, rate, confidence, promise=True).bound <= rate
        assert score_threshold(scores[:-1], rate, confidence, promise=True).bound > rate


def test_escapes_have_the_bound_of_the_tables() -> None:
    """None of 59 is 5 % with 95 % confidence: the figure of every sampling plan."""
    none = escapes(np.full(59, 0.9), 0.5)
    assert (none.missed, none.bad) == (0, 59)
    assert none.bound == pytest.approx(0.0495, abs=1e-4)
    all_of_them = escapes(np.full(5, 0.1), 0.5)
    assert (all_of_them.missed, all_of_them.bound) == (5, 1.0)


def test_smallest_area_is_more_than_good_parts_show() -> None:
    heatmaps = np.zeros((200, 32, 32), np.float32)
    for i in range(200):
        heatmaps[i, 0, : i // 10] = 0.9  # regions of 0 to 19 pixels
    assert smallest_area(heatmaps, 0.5, 0.005) == 20
    assert smallest_area(heatmaps, 0.5, 0.5) == 11
    assert smallest_area(heatmaps, 0.95, 0.005) == 1


def test_calibration_with_a_promise_keeps_it() -> None:
    """The true rate passes the rate itself no more often than stated, with some parts to spare."""
    rng, broken = np.random.default_rng(5), 0
    for _ in range(200):
        made = score_threshold(rng.uniform(0, 0.9, 700), 0.01, 0.9, promise=True)
        assert made.bound <= 0.01
        broken += 1 - made.value / 0.9 > 0.01
    assert 4 < broken <= stats.binom.ppf(0.999, 200, 0.1)
