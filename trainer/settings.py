"""What a training run is told: frozen, flat, kept with the weights it led to."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.frame import Box, Fit, Interpolation


class TrainSettings(BaseModel):
    """One training run. Sizes in pixels (multiples of 32), angles in degrees."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    images: Path
    product: str
    products: Path
    runs: Path = Path("runs")
    height: int = Field(128, ge=32, multiple_of=32)
    width: int = Field(128, ge=32, multiple_of=32)
    crop: Box | None = None
    interpolation: Interpolation = "area"
    bit_depth: int | None = Field(None, ge=8, le=16)
    rec_width: int = Field(16, ge=1)
    seg_width: int = Field(8, ge=1)
    steps: int = Field(1500, ge=1)
    batch: int = Field(8, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    rotation: float = Field(0, ge=0, le=180)
    textures: Path | None = None
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def fit(self) -> Fit:
        return Fit(self.height, self.width, self.interpolation, self.crop)
