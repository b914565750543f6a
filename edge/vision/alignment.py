"""The settings of an alignment, and why a part was not aligned."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

REFERENCE_FILE = "alignment.png"
"""Of a version: the reference picture as the network sees it."""
LEAST_QUALITY = 0.5
"""Pictures of another part, or of none, reach 0.1 to 0.4: see docs/alignment.md."""

Turn = Annotated[float, Field(gt=0, le=180)]
Shift = Annotated[float, Field(gt=0, le=0.5)]
Quality = Annotated[float, Field(ge=LEAST_QUALITY, lt=1)]


class Alignment(BaseModel):
    """Parts are found and brought to where the reference picture shows them.

    `turn` is the largest turn in degrees to either side, `shift` the largest shift along each axis
    as a share of the crop's longer side. Below `quality`, the correlation with the reference, there
    is no verdict.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    turn: Turn
    shift: Shift
    quality: Quality = LEAST_QUALITY


class NotAligned(ValueError):
    """The part was not found, or not well enough. `quality` is the best that was found."""

    def __init__(self, reason: str, quality: float) -> None:
        super().__init__(reason)
        self.quality = quality
