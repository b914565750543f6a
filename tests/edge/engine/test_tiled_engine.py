"""Whole pictures in tiles: no seam shows, nothing more than needed is computed."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.errors import EngineError
from edge.engine import Inference, tiled
from edge.engine.tiled import Tiled, for_pictures
from edge.product.product import Product
from edge.vision.geometry import Geometry
from edge.vision.roi import masks_of, pooled_maximum
from edge.vision.tiles import Tile, TilePlan
from tests.conftest import Plant

TILE = Tile(height=64, width=64, overlap=32)
PLAN = TilePlan(150, 301, TILE)
WINDOW = 5
REACH = 7
"""Pixels from a pixel to the farthest one that its heat depends on: less than a quarter overlap."""


@dataclass
class LocalEngine(Closeable):
    """Heat is the blurred brightness; at the border of its input it sees zeros, as networks do."""

    seen: list[int] = field(default_factory=list)
    closed: bool = False

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        self.seen.append(len(batch))
        heatmap = np.stack([heat_of(picture) for picture in batch])
        return Inference(np.full(len(batch), np.nan, np.float32), heatmap)

    def close(self) -> None:
        self.closed = True


def heat_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    side = (2 * REACH + 1, 2 * REACH + 1)
    gray = picture[..., 0].astype(np.float32) / 255
    return np.asarray(cv2.boxFilter(gray, -1, side, borderType=cv2.BORDER_CONSTANT), np.float32)


def noise(height: int = PLAN.height, width: int = PLAN.width) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


def test_tiles_give_what_the_whole_picture_gives() -> None:
    pictures = np.stack([noise(), noise()[::-1]])
    score, heatmap = Tiled(LocalEngine(), PLAN, WINDOW).infer(pictures)
    for i, picture in enumerate(pictures):
        # At the picture's own border zeros are seen in both ways.
        assert np.abs(heatmap[i] - heat_of(picture)).max() < 1e-5
        assert score[i] == pytest.approx(pooled_maximum(heat_of(picture), WINDOW), abs=1e-5)


def test_a_defect_that_moves_across_a_seam_of_tiles_keeps_its_score() -> None:
    engine = Tiled(LocalEngine(), PLAN, WINDOW)
    scores = []
    for x in range(20, 281, 3):
        picture = np.zeros((PLAN.height, PLAN.width, 3), np.uint8)
        picture[70:74, x : x + 3] = 255
        scores.append(float(engine.infer(picture[None]).score[0]))
    assert min(scores) > 0
    assert max(scores) / min(scores) < 1.02


def test_tiles_come_to_the_engine_in_bounded_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "PIXELS_AT_ONCE", 3 * 64 * 64)
    engine = LocalEngine()
    Tiled(engine, PLAN, WINDOW).infer(noise()[None])
    assert max(engine.seen) == 3
    assert sum(engine.seen) == len(PLAN.places)


def test_a_picture_in_tiles_that_takes_too_long_has_no_result() -> None:
    with pytest.raises(EngineError, match="of 301x150 takes more than"):
        Tiled(LocalEngine(), PLAN, WINDOW, limit_s=-1).infer(noise()[None])


def test_heat_that_is_no_number_in_one_of_the_tiles_is_not_hidden() -> None:
    class Broken(LocalEngine):
        def infer(self, batch: NDArray[np.uint8]) -> Inference:
            found = super().infer(batch)
            found.heatmap[-1, 30, 30] = np.nan
            return found

    score, heatmap = Tiled(Broken(), PLAN, WINDOW).infer(noise()[None])
    assert np.isnan(heatmap).any()
    assert np.isnan(score[0])


def test_a_picture_of_another_size_is_no_picture_of_the_tiles() -> None:
    with pytest.raises(EngineError, match="fit the frames first"):
        Tiled(LocalEngine(), PLAN, WINDOW).infer(noise(150, 300)[None])


def test_closing_tiles_closes_the_engine() -> None:
    engine = LocalEngine()
    with Tiled(engine, PLAN, WINDOW):
        pass
    assert engine.closed


def in_tiles(plant: Plant, geometry: Geometry | None) -> Product:
    changed = {"height": PLAN.height, "width": PLAN.width, "tile": TILE, "geometry": geometry}
    manifest = plant.product.manifest.model_copy(update=changed | {"score_window": WINDOW})
    return replace(plant.product, manifest=manifest, calibration=None)


REGION = {"bolt": ((100.0, 20.0), (130.0, 20.0), (130.0, 60.0))}


def test_only_the_tiles_that_regions_of_interest_touch_are_computed(plant: Plant) -> None:
    geometry = Geometry(frame=(602, 300), regions_of_interest=REGION)
    product, engine, picture = in_tiles(plant, geometry), LocalEngine(), noise()
    _, heatmap = for_pictures(engine, product).infer(picture[None])
    assert 0 < sum(engine.seen) < len(PLAN.places)
    inside = masks_of(geometry, product.fit.place((602, 300)))["bolt"]
    assert np.abs(heatmap[0] - heat_of(picture))[inside].max() < 1e-5


@pytest.mark.parametrize(
    "geometry",
    [None, Geometry(frame=(602, 300)), Geometry(regions_of_interest=REGION)],
    ids=["no geometry", "no regions", "frame not known"],
)
def test_all_tiles_are_computed_where_regions_are_not_certain(
    plant: Plant, geometry: Geometry | None
) -> None:
    engine = LocalEngine()
    for_pictures(engine, in_tiles(plant, geometry)).infer(noise()[None])
    assert sum(engine.seen) == len(PLAN.places)


def test_the_tiles_are_those_of_the_regions_that_the_judge_uses(calibrated: Plant) -> None:
    """A calibration without regions judges the whole picture, whatever the training had."""
    product = in_tiles(calibrated, Geometry(frame=(602, 300), regions_of_interest=REGION))
    engine = LocalEngine()
    assert calibrated.product.calibration is not None
    product = replace(product, calibration=calibrated.product.calibration)
    for_pictures(engine, product).infer(noise()[None])
    assert sum(engine.seen) == len(PLAN.places)


def test_a_product_without_tiles_has_its_engine_as_it_is(plant: Plant) -> None:
    engine = LocalEngine()
    assert for_pictures(engine, plant.product) is engine
