"""A simulated line as a camera: line://machined?rate=10&parts=300&defects=0.2&seed=7&truth=FILE."""

import json
import time
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.base.closeable import Closeable
from edge.base.errors import CameraError
from edge.camera import EndOfStream
from edge.camera.address import split
from edge.camera.simulated.renderer import PartRenderer
from edge.vision.frame import Frame

ENCODER_PER_PART = 1000


class LineSettings(BaseModel):
    """What the address of a simulated line may say.

    `rate` is in parts per second; 0 waits until each part has been judged. `parts` 0 never ends.
    `defects` is the share of defective parts; `truth` names a file that gets one JSON line a part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str = "machined"
    rate: float = Field(10.0, ge=0, le=1000)
    parts: int = Field(0, ge=0)
    defects: float = Field(0.1, ge=0, le=1)
    seed: int = Field(0, ge=0)
    truth: Path | None = None


def parse(source: str) -> LineSettings:
    """The settings in an address. Raises CameraError that names what is wrong with it."""
    address = split(source)
    given: dict[str, str] = dict(parse_qsl(address.query, keep_blank_values=True))
    if address.netloc:
        given["kind"] = address.netloc
    try:
        return LineSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise CameraError(
            f"'{source}': {name} ({first['msg']}); write for example "
            "line://machined?rate=10&parts=300&defects=0.2&seed=7"
        ) from error


def is_defective(settings: LineSettings, index: int) -> bool:
    """Whether part `index` has a defect: the same for the same seed."""
    draw = np.random.default_rng((settings.seed, index, 1)).random()
    return bool(draw < settings.defects)


class LineCamera(Closeable):
    """Parts pass one by one; in triggered mode each one triggers the camera."""

    def __init__(self, source: str, *, triggered: bool) -> None:
        self._settings = parse(source)
        self.live = self._settings.rate > 0
        self._triggered = triggered
        try:
            self._line = PartRenderer(self._settings.kind, self._settings.seed)
        except ValueError as error:
            raise CameraError(f"'{source}': {error}") from error
        truth = self._settings.truth
        self._truth = truth.open("w", encoding="utf-8") if truth else None
        self._index = 0
        self._due = time.monotonic()

    def read(self) -> Frame:
        settings, index = self._settings, self._index
        if settings.parts and index >= settings.parts:
            raise EndOfStream("the last part has passed")
        part = self._line.part(index, defective=is_defective(settings, index))
        if self._truth:
            self._truth.write(json.dumps({"frame_id": index + 1, "defect": part.defect}) + "\n")
            self._truth.flush()
        self._wait()
        self._index += 1
        number = index + 1
        trigger, encoder = (number, number * ENCODER_PER_PART) if self._triggered else (None, None)
        return Frame(part.image, number, time.monotonic_ns(), trigger, encoder)

    def _wait(self) -> None:
        """Until the part is under the camera; a line that fell behind does not catch up."""
        if not self.live:
            return
        now = time.monotonic()
        self._due = max(self._due + 1 / self._settings.rate, now)
        time.sleep(self._due - now)

    def about(self) -> dict[str, str | float]:
        return {"line": self._settings.kind, "seed": self._settings.seed}

    def close(self) -> None:
        if self._truth:
            self._truth.close()
