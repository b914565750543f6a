"""What decides on a calibration's good frames, and whether an engine moves it over a threshold."""

from collections.abc import Callable, Sequence

from edge.base.errors import EngineError
from edge.engine import Inference
from edge.product.product import Product
from edge.vision.calibration import Calibration
from edge.vision.roi import masks_of, roi_scores, share_of

Decides = Callable[[Inference], float]
"""Of one frame's inference what decides as a share of its threshold: 1 or more is a reject."""


def shares_before(calibration: Calibration, names: Sequence[str]) -> list[float] | None:
    """Of good frames when the threshold was set; None where the calibration does not say them."""
    threshold = calibration.whole_threshold
    if threshold is not None:
        return [share_of(calibration.frames[name], threshold) for name in names]
    if not calibration.roi_shares.keys() >= set(names):
        return None
    return [calibration.roi_shares[name] for name in names]


def share_now(product: Product, calibration: Calibration) -> Decides | None:
    """By the whole heatmap or the worst region of interest; None where regions have no known place.

    That is where neither the geometry nor a crop says how large the camera's frames are.
    """
    threshold, geometry = calibration.whole_threshold, calibration.geometry
    if threshold is not None or geometry is None:
        whole = calibration.threshold
        return lambda found: share_of(float(found.score[0]), whole)
    placement = product.fit.usual_placement(geometry)
    if placement is None:
        return None
    masks = masks_of(geometry, placement)
    window, thresholds = product.manifest.score_window, calibration.roi_thresholds

    def worst_share(found: Inference) -> float:
        scores = roi_scores(found.heatmap[0], masks, window)
        return max(share_of(score, thresholds[name]) for name, score in scores.items())

    return worst_share


def check_crossings(before: Sequence[float], now: Sequence[float]) -> None:
    """Raise EngineError where good frames, of these shares, have come to be rejects."""
    crossed = sum(b < 1 <= n for b, n in zip(before, now, strict=True))
    if crossed:
        raise EngineError(
            f"the engine moves {crossed} of {len(now)} good frames over the threshold: build "
            "another --precision, or calibrate through it from the version before the calibration"
        )
