"""Plots as SVG text, and heatmaps in colours, for HTML pages."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from edge.base.html_page import svg

MAX_POINTS = 1000


def heat_colours(heatmap: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A heatmap [H, W] in 0..1 as a BGR picture."""
    shades = (heatmap.clip(0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(shades, cv2.COLORMAP_INFERNO), np.uint8)


def roc(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> str:
    """Defective parts found against good parts rejected."""
    false, true, _ = roc_curve(labels, scores)
    return _line(false, true, "good parts rejected", "defective parts found")


def precision_recall(truth: NDArray[np.bool_], heatmap: NDArray[np.float32]) -> str:
    """Precision against recall, over all pixels."""
    precision, recall, _ = precision_recall_curve(truth.ravel(), heatmap.ravel())
    return _line(recall, precision, "recall (pixels)", "precision (pixels)")


def _line(x: NDArray[np.float64], y: NDArray[np.float64], x_label: str, y_label: str) -> str:
    """A line through at most a thousand of the points, with its ends."""
    points = np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).round().astype(int)

    def draw(axes: Axes) -> None:
        axes.plot(x[points], y[points], color="#1f6feb")
        limits = (-0.02, 1.02)
        axes.set(xlabel=x_label, ylabel=y_label, xlim=limits, ylim=limits)

    return svg(draw)


def curve(points: Sequence[Mapping[str, float]]) -> str:
    """The validations of a training; a ring marks those of the product's weights."""

    def draw(axes: Axes) -> None:
        steps = [p["step"] for p in points]
        axes.plot(steps, [p["image_auroc"] for p in points], marker=".", label="image AUROC")
        axes.plot(steps, [p["pixel_ap"] for p in points], marker=".", label="pixel AP")
        best = max(points, key=lambda p: (p["pixel_ap"], p["step"]))
        axes.plot(best["step"], best["pixel_ap"], "o", mfc="none", ms=12, color="black")
        axes.set(xlabel="step", ylim=(-0.02, 1.02))
        axes.legend(fontsize=8)

    return svg(draw, (6.4, 3.2))
