"""Labelled images as a line scores and judges them, with heatmaps and masks at 256x256."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.base.text import printable
from edge.engine import Inference
from edge.events.event import Verdict
from edge.vision.alignment import NotAligned
from edge.vision.calibration import Calibration
from edge.vision.crops import corrected_crop
from edge.vision.fit import Fit
from edge.vision.image_folders import warn_of_mixed_sizes
from edge.vision.judge import judge
from edge.vision.judge import measure as conditions_of
from edge.vision.placement import Placement
from edge.vision.roi import masks_of, roi_scores, share_of
from edge.vision.seen import judged_heat
from trainer.data.layout import Sample
from trainer.evaluation.metrics import SIDE, Map, Mask, reduce_mask, reduce_mask_as_authors

log = logging.getLogger(__name__)

Infer = Callable[[NDArray[np.uint8]], Inference]
"""What is evaluated: an engine's `infer`, or trained networks."""


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """One image: score, heatmap and masks at 256x256; no masks where a defect has none.

    With regions of interest the score is that of the worst of them, as a share of its threshold,
    and what lies outside of all is neither in the heatmap nor in the masks; `outside` says that all
    of the defect does. `verdict` is the product's, None before calibration.
    """

    path: Path
    defect: str | None
    score: float
    heatmap: Map
    truth: Mask | None
    truth_as_authors: Mask | None
    verdict: Verdict | None = None
    outside: bool = False


def score_all(
    fit: Fit,
    infer: Infer,
    samples: Iterable[Sample],
    calibration: Calibration | None = None,
    window: int = 1,
) -> list[ScoredImage]:
    """Score and judge every sample as a line would. With a crop, masks are cropped like the image.

    An image whose part cannot be aligned has no verdict, and ranks as the most defective one.
    `window` is that of the score, for regions of interest. Raises ImageError where the crop lies
    outside an image.
    """
    scored = []
    sizes: Counter[tuple[int, ...]] = Counter()
    for sample in samples:
        try:
            fitted, placement = fit(sample.image)
        except NotAligned as error:
            log.warning("%s: %s", sample.path, error)
            scored.append(_not_aligned(sample, calibration))
            continue
        except ValueError as error:
            raise ImageError(f"{sample.path}: {error}") from error
        sizes[sample.image.shape[:2]] += 1
        found = infer(fitted[None])
        verdict = None
        score, heatmap = judged_heat(float(found.score[0]), found.heatmap[0], placement, window)
        if calibration is not None:
            conditions = conditions_of(fitted)
            verdict = judge(score, heatmap, conditions, calibration, placement, window).verdict
        geometry = fit.geometry if calibration is None else calibration.geometry
        regions = masks_of(geometry, placement) if geometry else {}
        if regions and np.isfinite(score):
            score = _of_regions(heatmap, regions, calibration, window)
        scored.append(_scored(sample, placement, score, heatmap, regions, verdict))
    warn_of_mixed_sizes(sizes)
    highest = max((image.score for image in scored if image.score < np.inf), default=1.0)
    return [replace(i, score=max(1.0, highest)) if i.score == np.inf else i for i in scored]


def _not_aligned(sample: Sample, calibration: Calibration | None) -> ScoredImage:
    """An image that a line does not judge: its score is infinite, and it has no masks."""
    return ScoredImage(
        path=sample.path,
        defect=sample.defect and printable(sample.defect),
        score=float("inf"),
        heatmap=np.zeros((SIDE, SIDE), np.float32),
        truth=None,
        truth_as_authors=None,
        verdict=None if calibration is None else "NO_VERDICT",
    )


def _of_regions(
    heatmap: Map, regions: Mapping[str, Mask], calibration: Calibration | None, window: int
) -> float:
    """The score of the worst region: as a share of its threshold where it has one."""
    scores = roi_scores(heatmap, regions, window)
    if calibration is None:
        return max(scores.values())
    thresholds = calibration.roi_thresholds
    if missing := sorted(scores.keys() - thresholds.keys()):
        raise ImageError(f"the region '{missing[0]}' has no threshold: run 'draem calibrate'")
    return max(share_of(score, thresholds[name]) for name, score in scores.items())


def _scored(
    sample: Sample,
    placement: Placement,
    score: float,
    heatmap: Map,
    regions: Mapping[str, Mask],
    verdict: Verdict | None,
) -> ScoredImage:
    """Heatmap and masks at 256x256, with regions of interest what lies in any of them."""
    large = cv2.resize(heatmap, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    inside = np.ones((SIDE, SIDE), np.bool_)
    if regions:
        union = np.logical_or.reduce(list(regions.values())).astype(np.uint8)
        inside = cv2.resize(union, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0
    truth = as_authors = None
    outside = False
    if sample.truth is not None:
        cropped = corrected_crop(sample.truth, placement)
        truth, as_authors = reduce_mask(cropped) & inside, reduce_mask_as_authors(cropped) & inside
        if regions and sample.defect and not truth.any():
            truth, as_authors, outside = None, None, True
    return ScoredImage(
        path=sample.path,
        defect=sample.defect and printable(sample.defect),
        score=score,
        heatmap=np.where(inside, large, np.float32(0)),
        truth=truth,
        truth_as_authors=as_authors,
        verdict=verdict,
        outside=outside,
    )
