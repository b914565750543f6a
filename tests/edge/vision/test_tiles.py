"""Tile plans: every pixel is covered, every tile lies inside, the weights add up to 1."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.vision.tiles import Place, Tile, TilePlan

SIDES = st.integers(1, 5).map(lambda n: 32 * n)


@st.composite
def plans(draw: st.DrawFn) -> TilePlan:
    height, width = draw(SIDES), draw(SIDES)
    tile = Tile(height=height, width=width, overlap=draw(st.integers(0, min(height, width) // 2)))
    more = st.integers(0, 400)
    return TilePlan(height + draw(more), width + draw(more), tile)


@given(plans())
def test_tiles_lie_inside_and_their_weights_add_up_to_one(plan: TilePlan) -> None:
    whole = np.zeros((plan.height, plan.width))
    for place in plan.places:
        down, across = plan.window(place)
        assert 0 <= down.start < down.stop <= plan.height
        assert 0 <= across.start < across.stop <= plan.width
        weight = plan.weight(place)
        assert weight.shape == (plan.tile.height, plan.tile.width)
        assert weight.min() >= 0
        whole[down, across] += weight
    assert np.abs(whole - 1).max() < 1e-5


@given(plans())
def test_neighbours_share_the_overlap_and_no_tile_is_more_than_needed(plan: TilePlan) -> None:
    tile = plan.tile
    for starts, size, side in (
        (plan.rows, tile.height, plan.height),
        (plan.columns, tile.width, plan.width),
    ):
        assert all(b - a <= size - tile.overlap for a, b in pairwise(starts))
        assert (len(starts) - 2) * (size - tile.overlap) + size < side or len(starts) == 1


@given(plans(), st.data())
def test_the_tiles_that_touch_a_region_are_all_that_its_pixels_need(
    plan: TilePlan, data: st.DataObject
) -> None:
    y = data.draw(st.integers(0, plan.height - 1))
    x = data.draw(st.integers(0, plan.width - 1))
    mask = np.zeros((plan.height, plan.width), np.bool_)
    mask[y : y + 40, x : x + 7] = True
    whole = np.zeros(mask.shape)
    for place in plan.touching(mask):
        whole[plan.window(place)] += plan.weight(place)
    assert np.abs(whole[mask] - 1).max() < 1e-5


def test_the_border_of_a_tile_counts_only_at_the_border_of_the_picture() -> None:
    plan = TilePlan(64, 160, Tile(height=64, width=64, overlap=16))
    weight = plan.weight(Place(0, 1))
    assert (weight[:, :4] == 0).all()
    assert (weight[:, -4:] == 0).all()
    assert (plan.weight(Place(0, 0))[:, :4] == 1).all()


def test_a_picture_as_large_as_the_tile_has_one() -> None:
    plan = TilePlan(64, 96, Tile(height=64, width=96, overlap=32))
    assert plan.places == [Place(0, 0)]
    assert (plan.weight(Place(0, 0)) == 1).all()


def test_a_picture_smaller_than_the_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="60x64 is smaller than a tile of 64x64"):
        TilePlan(64, 60, Tile(height=64, width=64, overlap=0))


def test_an_overlap_is_at_most_half_of_the_tile() -> None:
    with pytest.raises(ValidationError, match="more than half"):
        Tile(height=64, width=96, overlap=33)
