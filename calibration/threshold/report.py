"""The page behind a calibration: on what evidence the threshold rests, and what it costs."""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from calibration.threshold.calibrate import Decision, Made, deciding_scores
from calibration.threshold.limits import finite_heat
from calibration.threshold.quantiles import escapes, parts_needed, score_threshold
from calibration.threshold.scored_frames import ScoredFrames
from edge.base.errors import ImageError
from edge.base.html_page import data_uri, histogram, svg, write_page
from edge.product.product import Product
from edge.vision.calibration import Range

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
PERCENTILES = (50, 90, 99, 99.9, 99.99, 100)
SHOWN = 12
SIDE = 256


def write_report(
    path: Path, product: Product, made: Made, good: ScoredFrames, bad: ScoredFrames | None
) -> None:
    """One file, pictures and plots inside."""
    c = made.calibration
    assert c.confidence is not None
    decision, regions = made.decision, max(1, len(c.roi_thresholds))
    by_kind = {"good": decision.good.tolist()}
    if decision.bad is not None:
        by_kind["bad"] = decision.bad.tolist()
    heat = finite_heat(good.heatmaps)
    conditions = {"brightness": c.brightness, "contrast": c.contrast, "sharpness": c.sharpness}
    write_page(
        path,
        Path(__file__).with_name("report.html"),
        product=product,
        c=c,
        frames=len(good.paths),
        parts=len(c.scores),
        needed=parts_needed(c.false_reject_rate / regions, 1 - (1 - c.confidence) / regions),
        plot=histogram(by_kind, decision.threshold.value),
        rates=[] if decision.roi else _rates(decision, c.confidence, made.promise),
        heat=[(p, float(np.percentile(heat, p))) for p in PERCENTILES],
        conditions=[
            (name, kept, _spread(name, [getattr(one, name) for one in good.conditions], kept))
            for name, kept in conditions.items()
        ],
        groups=_groups(decision, good, bad),
    )


def _rates(decision: Decision, confidence: float, promise: bool) -> list[dict[str, object]]:
    """What other thresholds would cost."""
    rows: list[dict[str, object]] = []
    for rate in RATES:
        try:
            option = score_threshold(decision.good, rate, confidence, promise=promise)
        except ImageError:
            continue
        bad = decision.bad
        missed = None if bad is None else escapes(bad, option.value, confidence)
        enough = (option.bound if promise else option.expected) <= rate + 1e-9
        rows.append({"rate": rate, "option": option, "missed": missed, "enough": enough})
    return rows


def _spread(name: str, values: list[float], kept: Range) -> str:
    def draw(axes: Axes) -> None:
        axes.hist(values, bins=30, color="#1f6feb")
        for edge in (kept.low, kept.high):
            axes.axvline(edge, color="black", linestyle="--")
        axes.set(xlabel=name, ylabel="good frames")

    return svg(draw, (3.4, 2.4))


def _groups(
    decision: Decision, good: ScoredFrames, bad: ScoredFrames | None
) -> list[tuple[str, str, list[dict[str, object]]]]:
    text = "left the frame as the engine sees it, right its heatmap"
    if decision.roi:
        text += "; the score is the share of the threshold that the worst region reaches"
    scores = deciding_scores(good, decision.roi)
    highest = _rows(good, scores, np.argsort(-scores))
    groups = [("Good frames with the highest scores", text, highest)]
    if bad is not None:
        scores = deciding_scores(bad, decision.roi)
        lowest = _rows(bad, scores, np.argsort(scores))
        groups.append(("Bad frames with the lowest scores", text, lowest))
    return groups


def _rows(
    judged: ScoredFrames, scores: NDArray[np.float64], order: NDArray[np.int64]
) -> list[dict[str, object]]:
    return [
        {
            "name": judged.paths[i].name,
            "score": float(scores[i]),
            "uri": data_uri(_picture(judged.fitted[i], judged.heatmaps[i])),
        }
        for i in order[:SHOWN]
    ]


def _picture(fitted: NDArray[np.uint8], heatmap: NDArray[np.float32]) -> NDArray[np.uint8]:
    shades = (heatmap.clip(0, 1) * 255).astype(np.uint8)
    both = np.hstack([fitted, cv2.applyColorMap(shades, cv2.COLORMAP_INFERNO)])
    scale = SIDE / fitted.shape[0]
    return np.asarray(cv2.resize(both, None, fx=scale, fy=scale), np.uint8)
