"""The features of a frame by which the drift watch compares it with the calibration."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.near_duplicates import thumbnail

SIDE, GRID = 128, 16
REFERENCE = "reference.png"
"""The mean good frame, SIDE x SIDE, gray; a file of the product's version."""
FEATURES = 5 + GRID * GRID


def mean_frame(fitted: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The mean of good fitted frames [H, W, 3], SIDE x SIDE, gray: the reference."""
    frames = [thumbnail(frame, SIDE) for frame in fitted]
    return np.asarray(np.mean(frames, axis=0).round(), np.uint8)


class FeatureExtractor:
    """Computes the features of a part, in the order of CAUSES.

    The position is the shift that explains most of the difference to the reference, to first order
    (Lucas and Kanade 1981): one product with a matrix that is computed once.
    """

    def __init__(self, reference: NDArray[np.uint8]) -> None:
        self._reference = _normalised(reference.astype(np.float32))
        slopes = [cv2.Sobel(self._reference, cv2.CV_32F, *d, scale=1 / 8) for d in ((1, 0), (0, 1))]
        self._shift = np.linalg.pinv(-np.stack([slope.ravel() for slope in slopes], axis=1))

    def __call__(self, fitted: NDArray[np.uint8], score: float) -> NDArray[np.float64]:
        """[FEATURES]: x and y in pixels of SIDE x SIDE, brightness, sharpness, blocks, score.

        Sharpness and blocks are relative to the brightness.
        """
        small = thumbnail(fitted, SIDE)
        normalised = _normalised(small)
        position = self._shift @ (normalised - self._reference).ravel()
        sharpness = cv2.Laplacian(normalised, cv2.CV_32F).var()
        blocks = cv2.resize(normalised, (GRID, GRID), interpolation=cv2.INTER_AREA)
        return np.array([*position, small.mean(), sharpness, *blocks.ravel(), score], np.float64)


def _normalised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divided by its mean; slightly blurred, so that slopes reach over some pixels."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.5)
    return np.asarray(smooth / max(float(smooth.mean()), 1e-6), np.float32)
