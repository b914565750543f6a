"""How well an engine separates good from defective images, and finds the defects' pixels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from edge.base.errors import ImageError
from edge.base.files import printable
from edge.engine import Inference
from edge.vision.crops import corrected_crop
from edge.vision.fit import Fit
from trainer.data.layout import Sample
from trainer.evaluation.metrics import (
    SIDE,
    Map,
    Mask,
    Rates,
    aupro,
    best_accuracy,
    rates_at,
    reduce_mask,
    reduce_mask_as_authors,
)

Infer = Callable[[NDArray[np.uint8]], Inference]
"""What is evaluated: an engine's `infer`, or trained networks."""


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """One image: score, heatmap and masks at 256x256; no masks where a defect has none."""

    path: Path
    defect: str | None
    score: float
    heatmap: Map
    truth: Mask | None
    truth_as_authors: Mask | None


@dataclass(frozen=True)
class PixelMetrics:
    """At 256x256; `ap_as_authors` with the authors' mask rule.

    Over the good images and `defective` others: a defect without a mask is left out.
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

    `calibrated` are the rates at the product's threshold, None before calibration; `best_possible`
    those at the threshold that is best for these very images.
    """

    images: int
    defective: int
    image_auroc: float
    pixels: PixelMetrics | None
    by_defect: dict[str, DefectMetrics]
    calibrated: Rates | None
    best_possible: Rates


def score_all(fit: Fit, infer: Infer, samples: Iterable[Sample]) -> list[ScoredImage]:
    """Score every sample. With a crop, masks are cropped like the image.

    Raises ImageError where the crop lies outside an image.
    """
    scored = []
    for sample in samples:
        try:
            fitted, placement = fit(sample.image)
        except ValueError as error:
            raise ImageError(f"{sample.path}: {error}") from error
        score, heatmap = infer(fitted[None])
        large = cv2.resize(heatmap[0], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        truth = None if sample.truth is None else corrected_crop(sample.truth, placement)
        scored.append(
            ScoredImage(
                path=sample.path,
                defect=sample.defect and printable(sample.defect),
                score=float(score[0]),
                heatmap=np.asarray(large, np.float32),
                truth=None if truth is None else reduce_mask(truth),
                truth_as_authors=None if truth is None else reduce_mask_as_authors(truth),
            )
        )
    return scored


def measure(scored: Sequence[ScoredImage], threshold: float | None = None) -> Metrics:
    """All metrics. Raises ImageError where there are not both good and defective images."""
    defective = np.array([image.defect is not None for image in scored])
    scores = np.array([image.score for image in scored])
    if len(set(defective.tolist())) < 2:
        raise ImageError("good and defective images are needed, these are of one kind only")
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
        calibrated=None if threshold is None else rates_at(threshold, defective, scores),
        best_possible=best_accuracy(defective, scores),
    )


def _of_kind(good: list[ScoredImage], bad: list[ScoredImage]) -> DefectMetrics:
    labels = [False] * len(good) + [True] * len(bad)
    auroc = float(roc_auc_score(labels, [image.score for image in good + bad]))
    return DefectMetrics(len(bad), auroc, _pixels(good + bad))


def _pixels(scored: Sequence[ScoredImage]) -> PixelMetrics | None:
    """None where no defect has a mask."""
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
