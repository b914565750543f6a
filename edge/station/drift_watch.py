"""The drift watch: finds a moved camera, changed light, a dirty lens or shifted scores.

It measures features of each part: position, brightness, sharpness, brightness of each block of the
picture, score. The calibration holds the range of each feature on good parts. A drift is reported
when too many of the last hundred parts lie outside one range on the same side. The limit is a
binomial bound, valid for any distribution. A slow variation of the line itself that the good frames
did not show is reported too.
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ProductError
from edge.events.codes import Code
from edge.product.product import Product
from edge.station.inspector import JudgedFrame
from edge.vision.calibration import DriftLimits
from edge.vision.drift_features import FEATURES, REFERENCE, SIDE, FeatureExtractor
from edge.vision.image_files import read_image
from edge.vision.near_duplicates import same_part, thumbnail

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cause:
    """The cause that a group of features indicates, with its code and message."""

    code: Code
    features: slice
    text: str


CAUSES = (
    Cause(Code.CAMERA_MOVED, slice(0, 2), "parts lie elsewhere: check the camera and the fixture"),
    Cause(Code.LIGHT_CHANGED, slice(2, 3), "parts are brighter or darker: check lamp and exposure"),
    Cause(Code.LENS_DIRTY, slice(3, -1), "parts look different: clean and focus the lens"),
    Cause(Code.SCORES_SHIFTED, slice(-1, None), "scores have moved: check part and process"),
)  # fmt: skip
"""In the order of effect: a moved picture changes all later features as well."""


class DriftWatch:
    """Counts how many of the last parts lie outside the ranges of good parts.

    Does nothing where the product's calibration has no ranges.
    """

    def __init__(self, product: Product) -> None:
        self._ranges = product.calibration.drift if product.calibration else None
        self.now: Cause | None = None
        if self._ranges is not None:
            reference = read_image(product.path / REFERENCE)
            if reference.shape[:2] != (SIDE, SIDE):
                raise ProductError(
                    f"{product.path / REFERENCE} is not {SIDE}x{SIDE}: calibrate again with "
                    f"'draem calibrate --product {product.name} --version {product.version}'"
                )
            self._measure = FeatureExtractor(reference[..., 0])
            self._outside = np.zeros((self._ranges.window, 2, FEATURES), np.int64)
            self._seen = 0
            self._last: NDArray[np.float32] | None = None
        elif product.calibration:
            log.warning(
                "%s version %s has no drift watch: run 'draem calibrate' with more parts",
                *(product.name, product.version),
            )

    def add(self, judged: JudgedFrame, triggered: bool) -> bool:
        """Add one part; whether the cause in `now` has changed.

        Counts parts that were judged or had the code BRIGHTNESS. Without triggers, a part still in
        view from the frame before is not counted again, so that a line may stand still.
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

    def _cause(self, ranges: DriftLimits) -> Cause | None:
        """Once a feature reaches the limit: the first cause in order that is half way there.

        A drift ends only below half of the limit, so that it does not toggle at the limit.
        """
        counts = self._outside.sum(axis=0).max(axis=0)
        half_way = [c for c in CAUSES if counts[c.features].max() >= ranges.limit / 2]
        if counts.max() >= ranges.limit:
            return half_way[0]
        return self.now if self.now in half_way else None
