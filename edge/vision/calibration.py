"""What a calibration holds: thresholds, and the conditions under which a verdict is valid."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.vision.drift_features import FEATURES
from edge.vision.geometry import Geometry

CONFIG = ConfigDict(frozen=True, allow_inf_nan=False)
MOST = 1e9
"""Above all conditions of a picture: the variance of a Laplacian is the largest, some 1e6."""

Level = Annotated[float, Field(gt=0, le=1)]
"""Of a score or of heat: both are probabilities, and nothing reaches a level above 1."""
Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=0, le=1.01)]
"""The average of many probabilities may be a little more than 1."""
Count = Annotated[int, Field(ge=0, le=1 << 31)]


class Range(BaseModel):
    """Lowest and highest value at which a frame can be judged."""

    model_config = CONFIG
    low: float = Field(ge=0)
    high: float = Field(le=MOST)

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        return self

    def contains(self, value: float) -> bool:
        """Whether `value` lies inside; a NaN never does."""
        return self.low <= value <= self.high


class DriftLimits(BaseModel):
    """The range that each drift feature had on good parts, and how many parts may leave it.

    `limit` of `window` successive parts outside on one side are a drift. Parts like the good ones
    reach it with a probability of at most `false_alarm` per part.
    """

    model_config = CONFIG
    window: int = Field(ge=1, le=10_000)
    limit: int = Field(ge=1)
    false_alarm: Share
    low: list[float] = Field(min_length=FEATURES, max_length=FEATURES)
    high: list[float] = Field(min_length=FEATURES, max_length=FEATURES)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.limit > self.window:
            raise ValueError(f"limit ({self.limit}) is above window ({self.window})")
        if any(low > high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("a feature's low is above its high")
        return self


class EscapeRate(BaseModel):
    """Of `bad` known bad parts `missed` are below the threshold; `bound` is for the true rate."""

    model_config = CONFIG
    missed: Count
    bad: Count
    bound: Share

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.missed > self.bad:
            raise ValueError(f"missed ({self.missed}) is more than all bad parts ({self.bad})")
        return self


class Calibration(BaseModel):
    """Thresholds and conditions, measured on good frames; stored as calibration.json.

    `threshold` is for the score, `pixel_threshold` for the heatmap; `min_area` is in map pixels.
    `scores` are those of the good parts, sorted; `false_reject_rate` is the target,
    `expected_rate` the rate for the next good part; `rate_bound` and the `bound` of `escapes` are
    upper bounds of the true rates with `confidence`. `frames` are the engine's scores of the
    fitted frames in calibration/, by file name. `roi_thresholds` has one threshold for each of the
    geometry's regions of interest, `roi_shares` of each of `frames` its worst region's score as a
    share of that one's threshold.
    """

    model_config = CONFIG
    threshold: Level
    pixel_threshold: Level
    min_area: int = Field(ge=1, le=1 << 31)
    brightness: Range
    contrast: Range
    sharpness: Range
    false_reject_rate: Share
    expected_rate: Share | None = None
    rate_bound: Share | None = None
    confidence: Share | None = None
    escapes: EscapeRate | None = None
    drift: DriftLimits | None = None
    scores: list[Annotated[float, Field(ge=0)]]
    frames: dict[str, Score] = {}
    created: str
    geometry: Geometry | None = None
    roi_thresholds: dict[str, Level] = {}
    roi_shares: dict[str, Annotated[float, Field(ge=0)]] = {}

    @property
    def whole_threshold(self) -> float | None:
        """The threshold of the whole heatmap; None where regions of interest decide."""
        regions = self.geometry.regions_of_interest if self.geometry else {}
        return None if regions else self.threshold

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if any(a > b for a, b in pairwise(self.scores)):
            raise ValueError("scores are not in order")
        regions = self.geometry.regions_of_interest if self.geometry else {}
        if differing := sorted(regions.keys() ^ self.roi_thresholds.keys()):
            raise ValueError(
                f"the region of interest {differing[0]!a} has no threshold, or no area"
            )
        return self
