"""How well values rank what is anomalous above what is not; scikit-learn's definitions."""

import numpy as np
from numpy.typing import NDArray


def auroc(truth: NDArray[np.bool_], values: NDArray[np.float32]) -> float:
    """The share of pairs in which the anomalous one has the higher value; equals count half.

    Raises ValueError where one kind is missing. Every pair is compared: for images, not pixels.
    """
    bad, good = values[truth][:, None], values[~truth]
    if not (bad.size and good.size):
        raise ValueError("an AUROC needs anomalous and good ones")
    return float((bad > good).mean() + 0.5 * (bad == good).mean())


def average_precision(truth: NDArray[np.bool_], values: NDArray[np.float32]) -> float:
    """The mean precision over the steps of recall; every distinct value is a threshold.

    Raises ValueError where nothing is anomalous.
    """
    if not truth.any():
        raise ValueError("an average precision needs something anomalous")
    order = np.argsort(-values, kind="stable")
    sorted_values = values[order]
    last = np.append(np.flatnonzero(np.diff(sorted_values)), len(values) - 1)  # of equal values
    found = np.cumsum(truth[order])[last]
    recall = found / found[-1]
    return float(np.sum(np.diff(recall, prepend=0) * found / (last + 1)))
