"""How well scored images separate good from defective, and find the defects' pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from edge.base.errors import ImageError
from trainer.evaluation.metrics import Map, Mask, Rates, aupro, best_accuracy, rates
from trainer.evaluation.scored_images import ScoredImage


@dataclass(frozen=True)
class PixelMetrics:
    """At 256x256; `ap_as_authors` with the authors' mask rule.

    Over the good images and `defective` others: a defect without a mask, or outside of the regions
    of interest, is left out.
    """

    defective: int
    auroc: float
    ap: float
    ap_as_authors: float
    aupro: float


@dataclass(frozen=True)
class DefectMetrics:
    """One kind of defect against all good images; no `pixels` where there is no mask."""

    images: int
    image_auroc: float
    pixels: PixelMetrics | None


@dataclass(frozen=True)
class Metrics:
    """Over `images` images, `defective` of them with a defect.

    `calibrated` are the rates of the product's verdicts, None before calibration; `best_possible`
    those at the threshold that is best for these very images. With `regions` of interest scores
    are shares of their thresholds, and `outside` defects lie outside of them all.
    """

    images: int
    defective: int
    image_auroc: float
    pixels: PixelMetrics | None
    by_defect: dict[str, DefectMetrics]
    calibrated: Rates | None
    best_possible: Rates
    regions: list[str]
    outside: int


def measure(
    scored: Sequence[ScoredImage], threshold: float | None = None, regions: Sequence[str] = ()
) -> Metrics:
    """All metrics; `threshold` is the product's in the scale of the scores, None uncalibrated.

    Raises ImageError where there are not both good and defective images.
    """
    defective = np.array([image.defect is not None for image in scored])
    scores = np.array([image.score for image in scored])
    if len(set(defective.tolist())) < 2:
        kind = "defective" if defective.all() else "good"
        raise ImageError(f"all {len(scored)} images are {kind}: both kinds are needed")
    if not np.isfinite(scores).all():
        raise ImageError("an image has no finite score: build the engine again, or train again")
    good = [image for image in scored if image.defect is None]
    by_defect: dict[str, list[ScoredImage]] = {}
    for image in sorted(scored, key=lambda image: image.defect or ""):
        if image.defect:
            by_defect.setdefault(image.defect, []).append(image)
    return Metrics(
        images=len(scored),
        defective=int(defective.sum()),
        image_auroc=float(roc_auc_score(defective, scores)),
        pixels=_pixels(scored),
        by_defect={kind: _of_kind(good, bad) for kind, bad in by_defect.items()},
        calibrated=None if threshold is None else _of_verdicts(scored, threshold, defective),
        best_possible=best_accuracy(defective, scores),
        regions=list(regions),
        outside=sum(image.outside for image in scored),
    )


def _of_verdicts(
    scored: Sequence[ScoredImage], threshold: float, defective: NDArray[np.bool_]
) -> Rates:
    """A part is let through with the verdict OK only."""
    rejected = np.array([image.verdict != "OK" for image in scored])
    without = sum(image.verdict == "NO_VERDICT" for image in scored)
    return rates(threshold, defective, rejected, without)


def _of_kind(good: list[ScoredImage], bad: list[ScoredImage]) -> DefectMetrics:
    labels = [False] * len(good) + [True] * len(bad)
    auroc = float(roc_auc_score(labels, [image.score for image in good + bad]))
    return DefectMetrics(len(bad), auroc, _pixels(good + bad))


def _pixels(scored: Sequence[ScoredImage]) -> PixelMetrics | None:
    """None where no defect has a mask."""
    if all(image.truth is None for image in scored):
        return None
    truth, heatmap = with_masks(scored)
    if not truth.any():
        return None
    as_authors = [i.truth_as_authors for i in scored if i.truth_as_authors is not None]
    return PixelMetrics(
        defective=sum(i.truth is not None and i.defect is not None for i in scored),
        auroc=float(roc_auc_score(truth.ravel(), heatmap.ravel())),
        ap=float(average_precision_score(truth.ravel(), heatmap.ravel())),
        ap_as_authors=float(average_precision_score(np.ravel(as_authors), heatmap.ravel())),
        aupro=aupro(truth, heatmap),
    )


def with_masks(scored: Sequence[ScoredImage]) -> tuple[Mask, Map]:
    """Masks and heatmaps [N, 256, 256] of the images that have a mask, and of the good ones."""
    known = [(image.truth, image.heatmap) for image in scored if image.truth is not None]
    return np.stack([t for t, _ in known]), np.stack([h for _, h in known])
