"""Masks and regions of large pictures: bounded, and no marked pixel is lost."""

import numpy as np
import pytest

from edge.events.codes import Code
from edge.events.encoding import MOST_MASK_PIXELS, decode, encode, encode_mask, mask_size
from edge.station.event_headers import lost_part, placed
from edge.vision.judge import MOST_REGIONS, find_regions
from edge.vision.placement import Placement
from tests.conftest import Plant


@pytest.mark.parametrize(
    ("height", "width"), [(3648, 5472), (2048, 2448), (1449, 1449), (1448, 1448), (33, 40)]
)
def test_a_large_mask_of_tiles_is_reduced_and_says_its_size(
    plant: Plant, height: int, width: int
) -> None:
    mask = np.zeros((height, width), np.uint8)
    marked = [(0, 0), (height - 1, width - 1), (height // 3, width // 2)]
    for pixel in marked:
        mask[pixel] = 255
    where = placed(Placement((0, 0, width, height), height, width))
    header = lost_part(1, Code.NONE, plant.product)
    header = header.model_copy(update={"mask": where, "seq": 1})
    sent = decode(encode(header, encode_mask(mask))).mask
    assert sent is not None
    assert sent.shape == (where.height, where.width) == mask_size(height, width)
    assert sent.size <= MOST_MASK_PIXELS
    step = -(-height // sent.shape[0])
    assert {(y // step, x // step) for y, x in marked} == set(
        map(tuple, np.argwhere(sent == 255).tolist())
    )
    blank = decode(encode(header, encode_mask(np.zeros_like(mask)))).mask
    assert blank is not None
    assert blank.shape == sent.shape
    assert not blank.any()


def test_a_mask_of_specks_stays_small() -> None:
    noise = np.random.default_rng(0).integers(0, 2, (2900, 2900), np.uint8) * 255
    assert len(encode_mask(noise)) < MOST_MASK_PIXELS


def test_the_largest_regions_of_a_picture_in_tiles_are_told() -> None:
    heatmap = np.zeros((200, 400), np.float32)
    heatmap[::4, ::4] = 0.9
    heatmap[101:103, 201:203] = 0.8
    mask, regions = find_regions(heatmap, 0.5, 1, Placement((0, 0, 400, 200), 200, 400))
    assert len(regions) == MOST_REGIONS
    assert regions[0].area == 5
    assert int((mask == 255).sum()) == sum(region.area for region in regions)
