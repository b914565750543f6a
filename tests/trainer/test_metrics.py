"""AUPRO on cases worked out by hand, masks that lose nothing, rates at a threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.metrics import (
    aupro,
    best_accuracy,
    rates_at,
    reduce_mask,
    reduce_mask_as_authors,
)


def case(heat: list[float], truth: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """One image of a single row."""
    return np.array([[truth]], np.bool_), np.array([[heat]], np.float32)


def test_a_perfect_map_has_aupro_1_and_a_flat_one_its_diagonal() -> None:
    truth = [1, 0, 0, 0, 0, 1, 1, 0, 0, 0]
    assert aupro(*case([float(t) for t in truth], truth)) == pytest.approx(1)
    # One threshold takes all: a straight line from (0, 0) to (1, 1), of which 0.3 is cut off.
    assert aupro(*case([0.5] * 10, truth)) == pytest.approx(0.3 / 2)


def test_small_regions_count_as_much_as_large_ones() -> None:
    """The region of one pixel is found, that of three is not: half of the regions, at no cost."""
    truth = [1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    heat = [0.9, 0.5, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    # Overlap is 0.5 from the first threshold on; the next takes all 9 good pixels at once.
    assert aupro(*case(heat, truth)) == pytest.approx(0.5)


def test_aupro_of_a_staircase_by_hand() -> None:
    """Ten good pixels. Order: good, defect, good, defect, then the other eight good ones.

    Points (FPR, overlap): (0, 0) (.1, 0) (.1, .5) (.2, .5) (.2, 1) (1, 1). Area to 0.3:
    .1 * 0 + .1 * .5 + .1 * 1 = .15, over 0.3.
    """
    heat = [0.9, 0.8, 0.7, 0.6, *[0.1] * 8]
    truth = [0, 1, 0, 1, *[0] * 8]
    assert aupro(*case(heat, truth)) == pytest.approx(0.5)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    truth = np.zeros((1, 4, 4), np.bool_)
    truth[0, 0, 0] = truth[0, 1, 1] = truth[0, 3, 3] = True
    heat = np.zeros((1, 4, 4), np.float32)
    heat[0, 0, 0] = 1
    # A quarter of the overlap is found at once (half of one region of two), the rest on a line.
    at_limit = 0.25 + 0.75 * 0.3
    assert aupro(truth, heat) == pytest.approx((0.25 + at_limit) / 2)


def test_aupro_without_regions_is_refused() -> None:
    with pytest.raises(ValueError, match="defects"):
        aupro(*case([0.1, 0.2], [0, 0]))


@given(st.integers(16, 1200), st.integers(16, 1200), st.data())
@settings(max_examples=60, deadline=None)
def test_no_defect_pixel_is_lost_at_any_size(height: int, width: int, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    mask = np.zeros((height, width), np.bool_)
    mask[row, column] = True
    reduced = reduce_mask(mask)
    assert reduced.shape == (256, 256)
    assert reduced[row * 256 // height, column * 256 // width]


def test_no_defect_pixel_is_lost_when_a_mask_shrinks() -> None:
    mask = np.zeros((900, 900), np.bool_)
    mask[123, 456] = True
    assert 1 <= reduce_mask(mask).sum() <= 2, "a pixel may touch two of the smaller grid"
    assert reduce_mask_as_authors(mask).sum() == 0, "the rule that this one is better than"


def test_the_authors_rule_shaves_edges() -> None:
    mask = np.zeros((512, 512), np.bool_)
    mask[101:200, 101:200] = True
    kept, theirs = reduce_mask(mask).sum(), reduce_mask_as_authors(mask).sum()
    assert kept == 50 * 50
    assert theirs == 49 * 49


def test_rates_reject_at_the_threshold_itself() -> None:
    defective = np.array([False, False, True, True])
    scores = np.array([0.1, 0.5, 0.5, 0.9])
    rates = rates_at(0.5, defective, scores)
    assert (rates.true_positive, rates.true_negative, rates.accuracy) == (1, 0.5, 0.75)
    assert best_accuracy(defective, np.array([0.1, 0.2, 0.5, 0.9])).accuracy == 1
    worse = best_accuracy(np.array([True, False, False]), np.array([0.1, 0.5, 0.9]))
    assert worse.accuracy == pytest.approx(2 / 3), "passing all is better than rejecting all"
