"""Has the camera moved, the light aged, the lens become dirty? The last parts and the good ones.

Of each part some features are taken: brightness, sharpness, score, its place, and how bright each
block of the picture is. The calibration keeps the range that each had on good parts. The statistic
is a count: how many of the last hundred parts lie outside of that range, on the same side. A limit
on it that parts like the good ones would not reach holds for any distribution (a binomial bound);
what it cannot know is a slow swing of the line's own that the good frames did not show.
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.events.event import Code
from edge.product.product import Product
from edge.station.inspector import JudgedFrame
from edge.vision.calibration import Drift
from edge.vision.drift_features import FEATURES, REFERENCE, Measure
from edge.vision.image_files import read_image
from edge.vision.near_duplicates import same_part, thumbnail

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cause:
    """What a group of features points at, with the words for a person."""

    code: Code
    features: slice
    text: str


CAUSES = (
    Cause(Code.CAMERA_MOVED, slice(0, 2), "parts lie elsewhere: check the camera and the fixture"),
    Cause(Code.LIGHT_CHANGED, slice(2, 3), "parts are brighter or darker: check lamp and exposure"),
    Cause(Code.LENS_DIRTY, slice(3, -1), "parts look different: clean and focus the lens"),
    Cause(Code.SCORES_SHIFTED, slice(-1, None), "scores have moved: check part and process"),
)  # fmt: skip
"""From the first in the chain on: what moves the picture changes everything after it as well."""


class DriftWatch:
    """Counts how many of the last parts lie outside of the ranges of the good ones.

    Without ranges in the product's calibration it sees nothing.
    """

    def __init__(self, product: Product) -> None:
        self._ranges = product.calibration.drift if product.calibration else None
        self.now: Cause | None = None
        if self._ranges is not None:
            reference = read_image(product.path / REFERENCE)
            self._measure = Measure(reference[..., 0])
            self._outside = np.zeros((self._ranges.window, 2, FEATURES), np.int64)
            self._seen = 0
            self._last: NDArray[np.float32] | None = None
        elif product.calibration:
            log.warning(
                "%s version %s has no drift watch: 'draem calibrate' with more parts makes one",
                *(product.name, product.version),
            )

    def see(self, judged: JudgedFrame, triggered: bool) -> bool:
        """One more part; whether what is wrong, in `now`, has changed with it.

        Only what could be judged counts, or could not for its brightness alone; and without
        triggers only what is not the part of the frame before, so that a line may stand still.
        """
        if self._ranges is None or judged.fitted is None:
            return False
        if judged.judgement.code not in (Code.NONE, Code.BRIGHTNESS):
            return False
        if not (triggered or self._is_another(judged.fitted)):
            return False
        found = self._measure(judged.fitted, judged.engine_score)
        low, high = found < self._ranges.low, found > self._ranges.high
        self._outside[self._seen % self._ranges.window] = low, high
        self._seen += 1
        before, self.now = self.now, self._cause(self._ranges)
        return self.now != before

    def _is_another(self, fitted: NDArray[np.uint8]) -> bool:
        last, self._last = self._last, thumbnail(fitted)
        return last is None or not same_part(self._last, last)

    def _cause(self, ranges: Drift) -> Cause | None:
        """Where anything has reached the limit, the first in the chain that is half way there.

        What has begun ends only at half of the limit, so that it does not come and go at its edge.
        """
        counts = self._outside.sum(axis=0).max(axis=0)
        half_way = [c for c in CAUSES if counts[c.features].max() >= ranges.limit / 2]
        if counts.max() >= ranges.limit:
            return half_way[0]
        return self.now if self.now in half_way else None
