"""The page behind an evaluation's figures: plots, the worst misses, the false alarms."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.base.html_page import data_uri, histogram, write_page
from edge.product.product import Product
from edge.vision.crops import corrected_crop
from edge.vision.image_files import read_image
from trainer.evaluation import plots
from trainer.evaluation.evaluate import Metrics, ScoredImage
from trainer.evaluation.metrics import SIDE

SHOWN = 8
SIDES = "left the picture, right the heatmap, outlined in green what the mask calls defective"


def write_report(
    path: Path,
    product: Product,
    judged: Sequence[ScoredImage],
    metrics: Metrics,
    bit_depth: int | None = None,
) -> None:
    """One file, pictures and plots inside."""
    bad = sorted((j for j in judged if j.defect is not None), key=lambda j: j.score)
    good = sorted((j for j in judged if j.defect is None), key=lambda j: -j.score)
    training = _training(product)
    write_page(
        path,
        Path(__file__).with_name("evaluation.html"),
        product=product,
        metrics=metrics,
        plots=_plots(judged, metrics),
        training=plots.curve(training) if training else None,
        groups=[
            (
                "Worst misses",
                f"defective images with the lowest scores; {SIDES}",
                _rows(product, bad, bit_depth),
            ),
            (
                "False alarms",
                f"good images with the highest scores; {SIDES}",
                _rows(product, good, bit_depth),
            ),
        ],
    )


def _training(product: Product) -> list[dict[str, float]]:
    """The validations behind the product's weights; empty where they were imported."""
    path = product.path / "training.json"
    if not path.is_file():
        return []
    curve: list[dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))["curve"]
    return curve


def _plots(judged: Sequence[ScoredImage], metrics: Metrics) -> list[tuple[str, str]]:
    scores: dict[str, list[float]] = {}
    for one in sorted(judged, key=lambda j: j.defect or ""):
        scores.setdefault(one.defect or "good", []).append(one.score)
    labels = np.array([j.defect is not None for j in judged])
    threshold = metrics.calibrated.threshold if metrics.calibrated else None
    made = [
        ("Scores", histogram(scores, threshold)),
        ("ROC of the images", plots.roc(labels, np.array([j.score for j in judged]))),
    ]
    if metrics.pixels is not None:
        known = [(j.truth, j.heatmap) for j in judged if j.truth is not None]
        truth, heat = np.stack([t for t, _ in known]), np.stack([h for _, h in known])
        made.append(("Precision and recall of the pixels", plots.precision_recall(truth, heat)))
    return made


def _rows(
    product: Product, judged: Sequence[ScoredImage], bit_depth: int | None
) -> list[dict[str, object]]:
    return [
        {
            "name": f"{j.defect or 'good'}/{j.path.name}",
            "score": j.score,
            "uri": _picture(product, j, bit_depth),
        }
        for j in judged[:SHOWN]
    ]


def _picture(product: Product, one: ScoredImage, bit_depth: int | None) -> str:
    """The part that the product looks at, its heatmap, and the truth's outline on both."""
    image = read_image(one.path, bit_depth)
    seen = cv2.resize(corrected_crop(image, product.fit(image)[1]), (SIDE, SIDE))
    shades = (one.heatmap.clip(0, 1) * 255).astype(np.uint8)
    heat = cv2.applyColorMap(shades, cv2.COLORMAP_INFERNO)
    if one.truth is not None:
        outlines, _ = cv2.findContours(
            one.truth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        for picture in (seen, heat):
            cv2.drawContours(picture, outlines, -1, (0, 255, 0), 1)
    return data_uri(np.hstack([seen, heat]).astype(np.uint8))
