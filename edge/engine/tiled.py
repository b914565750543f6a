"""Whole pictures through an engine that judges tiles; the same `infer(batch)` as any engine."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.base.errors import EngineError
from edge.engine import INFER_S, Engine, Inference, check_batch
from edge.product.product import Product
from edge.vision.fit import Fit
from edge.vision.geometry import Geometry
from edge.vision.roi import masks_of, pooled_maximum
from edge.vision.tiles import Place, TilePlan

PIXELS_AT_ONCE = 1 << 21
"""Of the tiles that an engine gets together: bounds its memory, fills a GPU."""


class Tiled(Closeable):
    """Judges pictures of the plan's size in tiles, and puts their heatmaps together.

    The score is computed from the whole heatmap as the network's own: the maximum of its average
    over `window`. Where only some `places` are computed, there is no heat elsewhere. A picture
    that takes longer than `limit_s` has no result.
    """

    def __init__(
        self,
        engine: Engine,
        plan: TilePlan,
        window: int,
        places: Sequence[Place] | None = None,
        limit_s: float = INFER_S,
    ) -> None:
        self._engine, self._plan, self._window = engine, plan, window
        self._places = plan.places if places is None else places
        self._limit_s = limit_s

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        """As every engine; EngineError too where one picture takes too long."""
        check_batch(batch, (self._plan.height, self._plan.width, 3))
        heatmaps = np.zeros(batch.shape[:3], np.float32)
        for picture, heatmap in zip(batch, heatmaps, strict=True):
            self._judge(picture, heatmap)
        scores = [pooled_maximum(heatmap, self._window) for heatmap in heatmaps]
        return Inference(np.array(scores, np.float32), heatmaps)

    def close(self) -> None:
        self._engine.close()

    def _judge(self, picture: NDArray[np.uint8], heatmap: NDArray[np.float32]) -> None:
        """Add every tile's heat to `heatmap`, each pixel with its weight."""
        end = time.monotonic() + self._limit_s
        done = 0
        for group in self._groups():
            if time.monotonic() > end:
                raise EngineError(
                    f"judging a picture of {self._plan.width}x{self._plan.height} takes more than "
                    f"{self._limit_s:g} s here ({done} of {len(self._places)} tiles were done): "
                    "train with a smaller --scale, name regions of interest, or use a faster device"
                )
            windows = [self._plan.window(place) for place in group]
            tiles = np.stack([picture[window] for window in windows])
            found = self._engine.infer(tiles).heatmap
            for place, window, heat in zip(group, windows, found, strict=True):
                heatmap[window] += heat * self._plan.weight(place)
            done += len(group)

    def _groups(self) -> Iterator[Sequence[Place]]:
        tile = self._plan.tile
        size = max(1, PIXELS_AT_ONCE // (tile.height * tile.width))
        return (self._places[i : i + size] for i in range(0, len(self._places), size))


def for_pictures(
    engine: Engine, product: Product, fit: Fit | None = None, limit_s: float = INFER_S
) -> Engine:
    """An engine of the product's model as one for whole pictures, which `fit` prepares.

    With regions of interest only the tiles that they touch are computed.
    """
    tile = product.manifest.tile
    if tile is None:
        return engine
    regions = (fit or product.fit).geometry
    if fit is None and product.calibration is not None:
        regions = product.calibration.geometry  # the judge's
    fit = fit or product.fit
    plan = TilePlan(fit.height, fit.width, tile)
    places = _places(plan, fit, regions)
    return Tiled(engine, plan, product.manifest.score_window, places, limit_s)


def _places(plan: TilePlan, fit: Fit, geometry: Geometry | None) -> Sequence[Place] | None:
    """The tiles that regions of interest touch; None, which is all, where that is not certain.

    Where regions lie in the picture depends on the camera's frame, unless there is a crop.
    """
    if geometry is None or not geometry.regions_of_interest:
        return None
    placement = fit.usual_placement(geometry)
    if placement is None:
        return None
    return plan.touching(*masks_of(geometry, placement).values())
