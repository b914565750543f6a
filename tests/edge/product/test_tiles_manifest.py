"""What a manifest says of tiles: sizes that no engine could have are refused."""

import json

import pytest

from edge.product.manifest import Manifest, parse_manifest
from tests.conftest import Plant

TILE = {"height": 64, "width": 96, "overlap": 16}


def changed(plant: Plant, **values: object) -> Manifest:
    return parse_manifest(json.dumps(plant.product.manifest.model_dump() | values).encode())


def test_a_picture_in_tiles_has_any_size_and_its_input_is_the_tile(plant: Plant) -> None:
    manifest = changed(plant, height=500, width=1261, tile=TILE)
    assert manifest.input_shape == (64, 96)
    assert parse_manifest(manifest.model_dump_json().encode()) == manifest


def test_a_manifest_without_tiles_is_read_as_before(plant: Plant) -> None:
    before = plant.product.manifest.model_dump(exclude={"tile"})
    manifest = parse_manifest(json.dumps(before).encode())
    assert manifest.tile is None
    assert manifest.input_shape == (manifest.height, manifest.width)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"height": 500}, "multiples of 32"),
        ({"height": 500, "width": 80, "tile": TILE}, "80x500 is smaller than a tile of 96x64"),
        ({"height": 500, "width": 500, "tile": TILE | {"width": 100}}, "multiple of 32"),
        ({"height": 500, "width": 500, "tile": TILE | {"overlap": 33}}, "more than half"),
        ({"height": 500, "width": 500, "tile": TILE, "score_window": 65}, "larger than the tile"),
        ({"height": 16000, "width": 16000, "tile": TILE}, "at most 67108864 pixels"),
    ],
)
def test_sizes_that_tiles_cannot_have_are_refused(
    plant: Plant, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        changed(plant, **values)
