"""Metrics that scikit-learn lacks: AUPRO, masks at 256x256, rates at a threshold."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256
"""Pixel metrics are always taken at 256x256."""

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]


def reduce_mask(mask: Mask) -> Mask:
    """A mask at 256x256 in which any pixel that touches a defect counts: none is lost.

    A shorter side is enlarged by repetition first: INTER_AREA averages only when it shrinks both.
    """
    down, right = (-(-SIDE // side) for side in mask.shape)
    large = mask.repeat(down, axis=0).repeat(right, axis=1).astype(np.float32)
    shrunk = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk > 0)


def reduce_mask_as_authors(mask: Mask) -> Mask:
    """A mask at 256x256 by the authors' rule: bilinear, rounded down, so that edges are cut off."""
    shrunk = cv2.resize(mask.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(shrunk >= 1)


def aupro(truths: NDArray[np.bool_], heatmaps: Map, limit: float = 0.3) -> float:
    """Area under per-region overlap against false-positive rate, up to `limit`, divided by it.

    `truths` and `heatmaps` are [N, H, W]. A region is a connected component (8 neighbours) of a
    truth; the overlap at a threshold is the mean over all regions of the share found (Bergmann et
    al. 2021). Every distinct value is a threshold. Raises ValueError without regions or background.
    """
    shares = np.concatenate([_region_shares(truth).ravel() for truth in truths])
    regions = round(float(shares.sum()))
    background = shares == 0
    if regions == 0 or not background.any():
        raise ValueError("AUPRO needs pixels of defects and others")
    order = np.argsort(-heatmaps.ravel(), kind="stable")
    heat = heatmaps.ravel()[order]
    last = np.append(np.flatnonzero(np.diff(heat)), len(heat) - 1)  # of each run of equal values
    overlap = np.append(0, np.cumsum(shares[order])[last] / regions)
    false = np.append(0, np.cumsum(background[order])[last] / background.sum())
    within = false <= limit
    x, y = np.append(false[within], limit), overlap[within]
    y = np.append(y, np.interp(limit, false, overlap))
    return float(np.trapezoid(y, x) / limit)


def _region_shares(truth: Mask) -> NDArray[np.float64]:
    """For each pixel of a region one over the region's area; 0 elsewhere. Regions sum to 1."""
    count, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=8)
    areas = np.bincount(labels.ravel(), minlength=count)
    per_pixel = 1 / np.maximum(areas, 1)
    per_pixel[0] = 0
    return np.asarray(per_pixel[labels], np.float64)


@dataclass(frozen=True)
class Rates:
    """At one threshold: share of the defective found, of the good passed, of all judged right.

    `without_verdict` are images that could not be judged: they count as rejected.
    """

    threshold: float
    true_positive: float
    true_negative: float
    accuracy: float
    without_verdict: int = 0


def rates(
    threshold: float,
    defective: NDArray[np.bool_],
    rejected: NDArray[np.bool_],
    without_verdict: int = 0,
) -> Rates:
    """Over images of which it is known which are defective and which were rejected."""
    return Rates(
        threshold=threshold,
        true_positive=float(rejected[defective].mean()),
        true_negative=float((~rejected[~defective]).mean()),
        accuracy=float((rejected == defective).mean()),
        without_verdict=without_verdict,
    )


def rates_at(threshold: float, defective: NDArray[np.bool_], scores: NDArray[np.float64]) -> Rates:
    """A part is rejected where its score is not below the threshold, as in edge.vision.judge."""
    return rates(threshold, defective, ~(scores < threshold))


def best_accuracy(defective: NDArray[np.bool_], scores: NDArray[np.float64]) -> Rates:
    """The rates at the threshold that is best for these images, which need their labels."""
    candidates = [rates_at(float(t), defective, scores) for t in [*np.unique(scores), np.inf]]
    return max(candidates, key=lambda rates: rates.accuracy)
