"""A simulated line as a camera: line://machined?rate=10&parts=300&defects=0.2&seed=7&truth=FILE."""

import json
import time
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.camera import EndOfStream
from edge.camera.address import split, validate
from edge.camera.simulated.renderer import PartRenderer
from edge.camera.simulated.sheet import SheetRenderer, drawn_size
from edge.vision.frame import Frame

EXAMPLE = "line://machined?rate=10&parts=300&defects=0.2&seed=7"
ENCODER_PER_PART = 1000
MIN_RATE = 0.001
SHEET, SHEET_SIZE = "sheet", "2448x2048"


class LineSettings(BaseModel):
    """The options in the address of a simulated line.

    `rate` is in parts per second; 0 waits until each part has been judged. `parts` 0 never ends.
    `defects` is the share of defective parts; `truth` names a file that gets one JSON line a part.
    `size` is that of the pictures of sheets, WIDTHxHEIGHT; other kinds have their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    kind: str = "machined"
    rate: float = Field(10.0, ge=0, le=1000)
    parts: int = Field(0, ge=0)
    defects: float = Field(0.1, ge=0, le=1)
    seed: int = Field(0, ge=0)
    truth: Path | None = None
    size: str | None = None

    @field_validator("size")
    @classmethod
    def _is_of_a_sheet(cls, size: str | None, info: ValidationInfo) -> str | None:
        if size is not None and info.data.get("kind") != SHEET:
            raise ValueError(f"only line://{SHEET} has a size")
        if size is not None:
            drawn_size(size)
        return size

    @field_validator("rate")
    @classmethod
    def _can_be_waited_for(cls, rate: float) -> float:
        if 0 < rate < MIN_RATE:
            raise ValueError(f"give 0, or {MIN_RATE} to 1000 parts a second")
        return rate


def _renderer(settings: LineSettings) -> PartRenderer | SheetRenderer:
    """What draws the parts. Raises ValueError for an unknown kind."""
    if settings.kind == SHEET:
        width, height = drawn_size(settings.size or SHEET_SIZE)
        return SheetRenderer(height, width, settings.seed)
    return PartRenderer(settings.kind, settings.seed)


class LineCamera(Closeable):
    """Parts pass one by one; in triggered mode each one triggers the camera.

    Raises CameraError for a wrong address.
    """

    def __init__(self, source: str, *, triggered: bool) -> None:
        kind, options = split(source)
        given = {**options, **({"kind": kind} if kind else {})}
        self._settings = validate(source, LineSettings, given, EXAMPLE)
        self.live = self._settings.rate > 0
        self._triggered = triggered
        try:
            self._renderer = _renderer(self._settings)
        except ValueError as error:
            raise CameraError(f"'{source}': {error}") from error
        truth = self._settings.truth
        self._truth = truth.open("w", encoding="utf-8") if truth else None
        self._count = 0
        self._due = time.monotonic()

    def read(self) -> Frame:
        settings, index = self._settings, self._count
        if settings.parts and index >= settings.parts:
            raise EndOfStream("the last part has passed")
        draw = np.random.default_rng((settings.seed, index, 1)).random()
        part = self._renderer.part(index, defective=bool(draw < settings.defects))
        self._count = number = index + 1
        if self._truth:
            self._truth.write(json.dumps({"frame_id": number, "defect": part.defect}) + "\n")
            self._truth.flush()
        if self.live:  # a line that fell behind does not catch up
            now = time.monotonic()
            self._due = max(self._due + 1 / settings.rate, now)
            time.sleep(self._due - now)
        trigger, encoder = (number, number * ENCODER_PER_PART) if self._triggered else (None, None)
        return Frame(part.image, number, time.monotonic_ns(), trigger, encoder)

    def about(self) -> dict[str, str | float]:
        return {"line": self._settings.kind, "seed": self._settings.seed}

    def close(self) -> None:
        if self._truth:
            self._truth.close()
