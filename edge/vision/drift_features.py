"""The features of a frame by which the drift watch compares it with the calibration."""

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE, GRID = 128, 16
REFERENCE = "reference.png"
"""The mean good frame, SIDE x SIDE, gray; a file of the product's version."""
Features = NDArray[np.float64]
FEATURES = 5 + GRID * GRID


def reference_of(fitted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mean of good fitted frames [N, H, W, 3], SIDE x SIDE, gray."""
    return np.asarray(np.mean([_small(frame) for frame in fitted], axis=0).round(), np.uint8)


class Measure:
    """Takes the features of a part, in the order of CAUSES.

    The place is the shift that explains most of the difference to the reference, to first order
    (Lucas and Kanade 1981): one product with a matrix that is made once.
    """

    def __init__(self, reference: NDArray[np.uint8]) -> None:
        self._reference = _relative(reference.astype(np.float32))
        slopes = [cv2.Sobel(self._reference, cv2.CV_32F, *d, scale=1 / 8) for d in ((1, 0), (0, 1))]
        self._shift = np.linalg.pinv(-np.stack([slope.ravel() for slope in slopes], axis=1))

    def __call__(self, fitted: NDArray[np.uint8], score: float) -> Features:
        """x and y in SIDE-ths of the picture; brightness; sharpness and blocks relative to it."""
        small = _small(fitted)
        relative = _relative(small)
        place = self._shift @ (relative - self._reference).ravel()
        sharpness = cv2.Laplacian(relative, cv2.CV_32F).var()
        blocks = cv2.resize(relative, (GRID, GRID), interpolation=cv2.INTER_AREA)
        return np.array([*place, small.mean(), sharpness, *blocks.ravel(), score], np.float64)


def _relative(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """In shares of its own brightness; slightly blurred, so that slopes reach over some pixels."""
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.5)
    return np.asarray(smooth / max(float(smooth.mean()), 1e-6), np.float32)


def _small(fitted: NDArray[np.uint8]) -> NDArray[np.float32]:
    gray = cv2.cvtColor(fitted, cv2.COLOR_BGR2GRAY)
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
