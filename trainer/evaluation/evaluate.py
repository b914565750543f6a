"""How well an engine tells good from bad on labelled images, and finds the defects' pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from edge.base.errors import ImageError
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


class Judge(Protocol):
    """What is evaluated: any engine, or trained networks."""

    def infer(self, batch: NDArray[np.uint8]) -> Inference: ...


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """One image: score, heatmap and truth at 256x256; no truths where a defect has no mask."""

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
    """One kind of defect against all good images; no `pixels` where no mask exists."""

    images: int
    image_auroc: float
    pixels: PixelMetrics | None


@dataclass(frozen=True)
class Metrics:
    """Over `images` images, `defective` of them with a defect.

    `calibrated` are the rates at the product's threshold, None before calibration; `best_possible`
    those at the threshold that suits these very images best.
    """

    images: int
    defective: int
    image_auroc: float
    pixels: PixelMetrics | None
    by_defect: dict[str, DefectMetrics]
    calibrated: Rates | None
    best_possible: Rates


def judge_all(fit: Fit, judge: Judge, samples: Iterable[Sample]) -> list[ScoredImage]:
    """Every sample judged. With a crop, truth is compared where the product looks.

    Raises ImageError where the crop lies outside an image.
    """
    judged = []
    for sample in samples:
        try:
            fitted, placement = fit(sample.image)
        except ValueError as error:
            raise ImageError(f"{sample.path}: {error}") from error
        score, heatmap = judge.infer(fitted[None])
        large = cv2.resize(heatmap[0], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        seen = None if sample.truth is None else corrected_crop(sample.truth, placement)
        judged.append(
            ScoredImage(
                path=sample.path,
                defect=sample.defect,
                score=float(score[0]),
                heatmap=np.asarray(large, np.float32),
                truth=None if seen is None else reduce_mask(seen),
                truth_as_authors=None if seen is None else reduce_mask_as_authors(seen),
            )
        )
    return judged


def measure(judged: Sequence[ScoredImage], threshold: float | None = None) -> Metrics:
    """All figures. Raises ImageError where there are not both good and defective images."""
    defective = np.array([j.defect is not None for j in judged])
    scores = np.array([j.score for j in judged])
    if len(set(defective.tolist())) < 2:
        raise ImageError("good and defective images are needed, these are of one kind only")
    if not np.isfinite(scores).all():
        raise ImageError("an image has no finite score: build the engine again, or train again")
    good = [j for j in judged if j.defect is None]
    kinds = sorted({j.defect for j in judged if j.defect is not None})
    return Metrics(
        images=len(judged),
        defective=int(defective.sum()),
        image_auroc=float(roc_auc_score(defective, scores)),
        pixels=_pixels(judged),
        by_defect={kind: _of_kind(good, [j for j in judged if j.defect == kind]) for kind in kinds},
        calibrated=None if threshold is None else rates_at(threshold, defective, scores),
        best_possible=best_accuracy(defective, scores),
    )


def _of_kind(good: list[ScoredImage], bad: list[ScoredImage]) -> DefectMetrics:
    labels = [False] * len(good) + [True] * len(bad)
    auroc = float(roc_auc_score(labels, [j.score for j in good + bad]))
    return DefectMetrics(len(bad), auroc, _pixels(good + bad))


def _pixels(judged: Sequence[ScoredImage]) -> PixelMetrics | None:
    """None where no defect has a mask."""
    truth, heat = _stacked(judged)
    if not truth.any():
        return None
    theirs = np.stack([j.truth_as_authors for j in judged if j.truth_as_authors is not None])
    return PixelMetrics(
        defective=sum(j.truth is not None and j.defect is not None for j in judged),
        auroc=float(roc_auc_score(truth.ravel(), heat.ravel())),
        ap=float(average_precision_score(truth.ravel(), heat.ravel())),
        ap_as_authors=float(average_precision_score(theirs.ravel(), heat.ravel())),
        aupro=aupro(truth, heat),
    )


def _stacked(judged: Sequence[ScoredImage]) -> tuple[Mask, Map]:
    """Truths and heatmaps [N, 256, 256] of the images whose truth is known."""
    known = [(j.truth, j.heatmap) for j in judged if j.truth is not None]
    return np.stack([t for t, _ in known]), np.stack([h for _, h in known])
