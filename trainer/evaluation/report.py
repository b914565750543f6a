"""Reports: of an evaluation, with plots and the worst images; of a comparison of two versions."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.base.html_page import data_uri, histogram, write_page
from edge.product.product import Product
from edge.vision.alignment import NotAligned
from edge.vision.crops import corrected_crop
from edge.vision.image_files import Image, read_image
from trainer.evaluation import plots
from trainer.evaluation.compare import Comparison, Part, said, shown
from trainer.evaluation.evaluate import Metrics, with_masks
from trainer.evaluation.metrics import SIDE
from trainer.evaluation.scored_images import ScoredImage

SHOWN, COMPARED = 8, 48
SIDES = "left the image, right the heatmap, the mask outlined in green"


def write_report(
    path: Path,
    product: Product,
    scored: Sequence[ScoredImage],
    metrics: Metrics,
    bit_depth: int | None = None,
) -> None:
    """One HTML file that contains its pictures and plots."""
    ranked = sorted(scored, key=lambda image: image.score)
    missed = [image for image in ranked if image.defect is not None][:SHOWN]
    alarms = [image for image in reversed(ranked) if image.defect is None][:SHOWN]
    training = product.path / "training.json"
    curve = json.loads(training.read_text("utf-8"))["curve"] if training.is_file() else None
    write_page(
        path,
        Path(__file__).with_name("evaluation.html"),
        product=product,
        metrics=metrics,
        plots=_plots(scored, metrics),
        training=plots.curve(curve) if curve else None,  # imported weights have none
        groups=[
            (title, f"{text}; {SIDES}", [_row(product, image, bit_depth) for image in chosen])
            for title, text, chosen in (
                ("Worst misses", "defective images with the lowest scores", missed),
                ("False alarms", "good images with the highest scores", alarms),
            )
        ],
    )


def write_comparison(
    path: Path,
    product: Product,
    found: Comparison,
    parts: Sequence[Part],
    bit_depth: int | None = None,
) -> None:
    """A page of two versions, with pictures of parts that they judge differently."""
    files = {part.key: part.path for part in parts}
    pictures = []
    for one in found.differences[:COMPARED]:
        inspected = _inspected(product, files[one.key], bit_depth)
        name = f"{one.key}: {said(one)}, {shown(one.judged)}, {shown(one.against)}"
        pictures.append((name, data_uri(inspected)))
    template = Path(__file__).with_name("comparison.html")
    write_page(path, template, found=found, pictures=pictures, said=said, shown=shown)


def _inspected(product: Product, path: Path, bit_depth: int | None) -> Image:
    """The part of the picture that is inspected, at 256x256."""
    frame = read_image(path, bit_depth)
    try:
        placement = product.fit(frame)[1]
    except NotAligned:  # shown as it lies
        placement = product.fit.place((frame.shape[1], frame.shape[0]))
    crop = corrected_crop(frame, placement)
    return np.asarray(cv2.resize(crop, (SIDE, SIDE)), np.uint8)


def _plots(scored: Sequence[ScoredImage], metrics: Metrics) -> list[tuple[str, str]]:
    """Titles and SVG texts."""
    by_kind: dict[str, list[float]] = {}
    for image in sorted(scored, key=lambda image: image.defect or ""):
        by_kind.setdefault(image.defect or "good", []).append(image.score)
    labels = np.array([image.defect is not None for image in scored])
    threshold = metrics.calibrated.threshold if metrics.calibrated else None
    made = [
        ("Scores", histogram(by_kind, threshold)),
        ("ROC of the images", plots.roc(labels, np.array([image.score for image in scored]))),
    ]
    if metrics.pixels is not None:
        curve = plots.precision_recall(*with_masks(scored))
        made.append(("Precision and recall of the pixels", curve))
    return made


def _row(product: Product, image: ScoredImage, bit_depth: int | None) -> dict[str, object]:
    """One image for groups.html: the part that is inspected and its heatmap, with the outlines."""
    inspected = _inspected(product, image.path, bit_depth)
    heat = plots.heat_colours(image.heatmap)
    if image.truth is not None:
        truth = image.truth.astype(np.uint8)
        outlines, _ = cv2.findContours(truth, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for picture in (inspected, heat):
            cv2.drawContours(picture, outlines, -1, (0, 255, 0), 1)
    return {
        "name": f"{image.defect or 'good'}/{image.path.name}",
        "score": image.score,
        "uri": data_uri(np.hstack([inspected, heat]).astype(np.uint8)),
    }
