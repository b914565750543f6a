"""Plots as SVG text, to be set into a page that needs no other file."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from edge.base.html_page import svg

MOST_POINTS = 1000


def _thin(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most a thousand points of a curve, its ends among them."""
    places = np.linspace(0, len(values) - 1, min(len(values), MOST_POINTS)).round().astype(int)
    return np.asarray(values[places])


def roc(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> str:
    """Defective parts found against good parts rejected."""
    false, true, _ = roc_curve(labels, scores)

    def draw(axes: Axes) -> None:
        axes.plot(_thin(false), _thin(true), color="#1f6feb")
        axes.set(xlabel="good parts rejected", ylabel="defective parts found", xlim=(-0.02, 1.02))

    return svg(draw)


def precision_recall(truth: NDArray[np.bool_], heat: NDArray[np.float32]) -> str:
    """Of the pixels called defective how many are, against how many of the defects' are found."""
    precision, recall, _ = precision_recall_curve(truth.ravel(), heat.ravel())

    def draw(axes: Axes) -> None:
        axes.plot(_thin(recall), _thin(precision), color="#1f6feb")
        axes.set(xlabel="recall (pixels)", ylabel="precision (pixels)", ylim=(-0.02, 1.02))

    return svg(draw)


def curve(points: Sequence[Mapping[str, float]]) -> str:
    """The validations of a training; a ring marks the weights that were taken."""

    def draw(axes: Axes) -> None:
        steps = [p["step"] for p in points]
        axes.plot(steps, [p["image_auroc"] for p in points], marker=".", label="image AUROC")
        axes.plot(steps, [p["pixel_ap"] for p in points], marker=".", label="pixel AP")
        best = max(points, key=lambda p: (p["pixel_ap"], p["step"]))
        axes.plot(best["step"], best["pixel_ap"], "o", mfc="none", ms=12, color="black")
        axes.set(xlabel="step", ylim=(-0.02, 1.02))
        axes.legend(fontsize=8)

    return svg(draw, (6.4, 3.2))
