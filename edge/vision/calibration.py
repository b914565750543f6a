"""What a calibration holds: thresholds, and the conditions under which a verdict is valid."""

from pydantic import BaseModel, ConfigDict

from edge.vision.geometry import Geometry


class Range(BaseModel):
    """Lowest and highest value at which a frame can be judged."""

    model_config = ConfigDict(frozen=True)
    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Whether `value` lies inside; a NaN never does."""
        return self.low <= value <= self.high


class DriftLimits(BaseModel):
    """The range that each drift feature had on good parts, and how many parts may leave it.

    `limit` of `window` successive parts outside on one side are a drift. Parts like the good ones
    reach it with a probability of at most `false_alarm` per part.
    """

    model_config = ConfigDict(frozen=True)
    window: int
    limit: int
    false_alarm: float
    low: list[float]
    high: list[float]


class EscapeRate(BaseModel):
    """Of `bad` known bad parts `missed` are below the threshold; `bound` is for the true rate."""

    model_config = ConfigDict(frozen=True)
    missed: int
    bad: int
    bound: float


class Calibration(BaseModel):
    """Thresholds and conditions, measured on good frames; stored as calibration.json.

    `threshold` is for the score, `pixel_threshold` for the heatmap; `min_area` is in map pixels.
    `scores` are those of the good parts, sorted; `false_reject_rate` is the target,
    `expected_rate` the rate for the next good part; `rate_bound` and the `bound` of `escapes` are
    upper bounds of the true rates with `confidence`. `frames` are the scores of the fitted frames
    in calibration/, by file name. `roi_thresholds` has one threshold for each of the geometry's
    regions of interest.
    """

    model_config = ConfigDict(frozen=True)
    threshold: float
    pixel_threshold: float
    min_area: int
    brightness: Range
    contrast: Range
    sharpness: Range
    false_reject_rate: float
    expected_rate: float | None = None
    rate_bound: float | None = None
    confidence: float | None = None
    escapes: EscapeRate | None = None
    drift: DriftLimits | None = None
    scores: list[float]
    frames: dict[str, float] = {}
    created: str
    geometry: Geometry | None = None
    roi_thresholds: dict[str, float] = {}

    @property
    def whole_threshold(self) -> float | None:
        """The threshold of the whole heatmap; None where regions of interest decide."""
        regions = self.geometry.regions_of_interest if self.geometry else {}
        return None if regions else self.threshold
