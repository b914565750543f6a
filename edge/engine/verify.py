"""Proof before service: a compiled engine against the trained network's float32 outputs."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import EngineError
from edge.engine import Engine
from edge.engine.deciding import check_crossings, share_now, shares_before
from edge.engine.plan import REDUCED
from edge.engine.tiled import for_pictures
from edge.product.golden import Golden, read_golden
from edge.product.product import Product
from edge.vision.calibration import Calibration
from edge.vision.image_files import read_image
from edge.vision.roi import pooled_maximum

SCORE_TOLERANCE = 0.01
MAP_TOLERANCE = 0.02
"""A float16 body rounds each activation to 11 bits; a softmax turns that into some 1e-3 of heat.

Ten times that is allowed for the 99.9th percentile of the map's error, since single pixels at a
sharp edge may differ more; the maximum is reported, not judged. An engine of another network, of
swapped channels or of another window misses by far more, which the negative shows on every build.
"""
REDUCED_TOLERANCE = 0.25
"""For bfloat16 and int8, of the score and of the map's 99.9th percentile, on golden frames.

Eight bits move single scores in the steep middle of the softmax by 0.1 to 0.2 while parts keep
their order. So this only finds an engine that is broken; that the accuracy is kept is proven by
good frames of the calibration and by simulated anomalies (accuracy.py), with narrow limits.
"""
SHIFT_TOLERANCE = 0.1
"""How far an engine may move the middle of the good scores, as a share of its way to the threshold.

Two engines of one model differ by rounding, up and down. Scores that all move up are false rejects
to come, and scores that all move down are defects missed. A tenth of the way is less than what new
parts differ from old.
"""
SMALLEST_SHIFT = 0.001
"""Two engines of one model differ by some 0.0005, however near the threshold is."""


@dataclass(frozen=True)
class Difference:
    """How far an engine's outputs lie from a reference's."""

    score_max: float
    map_p999: float
    map_max: float

    def within(self, tolerance: "Tolerance") -> bool:
        """Whether both lie within the tolerances; never for a NaN."""
        return self.score_max <= tolerance.score and self.map_p999 <= tolerance.map


class Tolerance(NamedTuple):
    """How far the score and the map's 99.9th percentile may lie from the trained network's."""

    score: float
    map: float


FULL = Tolerance(SCORE_TOLERANCE, MAP_TOLERANCE)


def tolerance_of(precision: str) -> Tolerance:
    """What an engine of a precision may miss on golden frames."""
    return Tolerance(REDUCED_TOLERANCE, REDUCED_TOLERANCE) if precision in REDUCED else FULL


def compare(
    score: NDArray[np.float32],
    heatmap: NDArray[np.float32],
    reference_score: NDArray[np.float32],
    reference_heatmap: NDArray[np.float32],
) -> Difference:
    """Largest error of the score; 99.9th percentile and maximum of the map's."""
    error = np.abs(heatmap - reference_heatmap)
    return Difference(
        score_max=float(np.abs(score - reference_score).max()),
        map_p999=float(np.quantile(error, 0.999)),
        map_max=float(error.max()),
    )


def prove(
    engine: Engine,
    product: Product,
    precision: str,
    batches: Sequence[int] = (1,),
    most: int | None = None,
) -> dict[str, float]:
    """Run a product's golden frames, and those of its calibration, through an engine: the figures.

    The engine takes inputs of the model's size, which the golden frames have; the calibration's
    frames are whole pictures.

    Golden frames go in batches of every size that the engine has, since each is compiled for
    itself; the figures are the worst of them. `most` bounds the number of calibration frames.

    Raises ProductError where the golden frames cannot be used; EngineError where the engine misses
    the trained network, where the check could not have told it from another one, or where the
    scores of good frames have moved.
    """
    golden, allowed = read_golden(product), tolerance_of(precision)
    all_figures = [_prove_golden(engine, product, golden, size, allowed) for size in batches]
    figures = {
        name: (min if name.startswith("negative") else max)(one[name] for one in all_figures)
        for name in all_figures[0]
    }
    if product.calibration is not None:
        whole = for_pictures(engine, product, limit_s=math.inf)  # a proof may have one slow thread
        figures |= _prove_calibration(whole, product, product.calibration, allowed, most)
    return figures


def _check_window(
    product: Product, score: NDArray[np.float32], heatmap: NDArray[np.float32]
) -> None:
    """Regions of interest are scored with the manifest's window, whole maps with the model's."""
    window = product.manifest.score_window
    pooled = np.array([pooled_maximum(one, window) for one in heatmap])
    if not np.abs(pooled - score).max() <= SCORE_TOLERANCE:
        raise EngineError(
            f"{product.name} version {product.version} names a score_window of {window}, and its "
            "model has another: restore its manifest.json from a backup, or train again"
        )


def _prove_golden(
    engine: Engine, product: Product, golden: Golden, size: int, allowed: Tolerance
) -> dict[str, float]:
    """The golden frames in batches of `size`, the last one filled up with the first frames."""
    frames = golden.frames
    order = np.arange(-(-len(frames) // size) * size) % len(frames)
    parts = [engine.infer(frames[order[i : i + size]]) for i in range(0, len(order), size)]
    score = np.concatenate([part.score for part in parts])[: len(frames)]
    heatmap = np.concatenate([part.heatmap for part in parts])[: len(frames)]
    found = compare(score, heatmap, golden.score, golden.heatmap)
    negative = compare(score, heatmap, golden.negative_score, golden.negative_heatmap)
    if not found.within(allowed):
        raise EngineError(
            f"the engine misses the trained network in batches of {size}: score by "
            f"{found.score_max:.4f} (allowed {allowed.score}), 99.9 % of the map by "
            f"{found.map_p999:.4f} (allowed {allowed.map}); build it again, and report it if "
            "that does not help"
        )
    if negative.within(allowed):
        raise EngineError(
            "the golden frames cannot tell the trained network from an untrained one: train longer"
        )
    _check_window(product, score, heatmap)
    figures = {f"negative_{name}": value for name, value in asdict(negative).items()}
    return {**asdict(found), **figures}


def _prove_calibration(
    engine: Engine,
    product: Product,
    calibration: Calibration,
    tolerance: Tolerance,
    most: int | None,
) -> dict[str, float]:
    """How far the good frames' scores have moved since the calibration, and what that costs."""
    if not calibration.frames:
        raise EngineError(
            f"the calibration of {product.name} version {product.version} is from an older program "
            "and does not say its frames' scores: run 'draem build' and 'draem calibrate' with "
            "--version for the version before it"
        )
    folder = product.path / "calibration"
    kept = list(calibration.frames.items())[:most]
    before = np.array([score for _, score in kept])
    decides = share_now(product, calibration)
    scores, shares = [], []
    for name, _ in kept:
        found = engine.infer(read_image(folder / name)[None])
        scores.append(found.score[0])
        shares.append(decides(found) if decides else math.nan)
    now = np.array(scores, np.float64)
    shift = now - before
    middle, largest = float(np.median(shift)), float(np.abs(shift).max())
    # A threshold that was chosen by costs may lie below the middle of the good scores.
    way = abs(calibration.threshold - float(np.median(before)))
    allowed = max(SHIFT_TOLERANCE * way, SMALLEST_SHIFT)
    if not (largest <= tolerance.score and abs(middle) <= allowed):
        raise EngineError(
            f"the engine moves the scores of {len(now)} good frames by {middle:+.4f} in the median "
            f"(allowed {allowed:.4f}), at most by {largest:.4f} (allowed {tolerance.score}): "
            "build it again, or calibrate through it from the version before the calibration"
        )
    figures = {"shift_median": middle, "shift_max": largest}
    shares_then = shares_before(calibration, [name for name, _ in kept])
    if decides is None or shares_then is None:
        if tolerance != FULL:
            raise EngineError(_why_unproven(product, known_place=decides is not None))
        return figures
    if tolerance != FULL:
        check_crossings(shares_then, shares)
    return figures | {
        "rejected_at_calibration": float(sum(share >= 1 for share in shares_then)),
        "rejected_now": float(sum(share >= 1 for share in shares)),
    }


def _why_unproven(product: Product, *, known_place: bool) -> str:
    """Why nobody can say whether a reduced precision moves parts over regions' thresholds."""
    this = f"{product.name} version {product.version}"
    if known_place:
        return (
            f"the calibration of {this} is from an older program and does not say its regions' "
            "scores, which a reduced precision is proven by: calibrate again, or build without "
            "--precision"
        )
    return (
        f"the regions of interest of {this} have no frame size, without which a reduced precision "
        "cannot be proven: write the camera's as 'frame' into the file for 'draem calibrate "
        "--geometry', or build without --precision"
    )
