"""The settings that a GenICam camera's address asks for."""

from typing import Literal
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.base.errors import CameraError
from edge.camera.address import split, validate

EXAMPLE = "genicam://192.168.1.10?exposure_us=2000&pixel_format=Mono8"
MAX_SIDE = 1_000_000  # Aravis takes numbers of 32 bits


class CameraSettings(BaseModel):
    """One camera and how it is set; what is None stays as the camera has it.

    `x`, `y`, `width`, `height` are the region; all four or none. `packet_size` is in bytes with
    its IP header, `packet_delay` in nanoseconds. `trigger` makes the camera wait for an edge on
    `line`, or for the program; `activation` is the edge. `trigger_deadline_ms` is how long the
    frame of a software trigger may take. `chunks` names chunk data to carry into the event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    device: str
    pixel_format: str | None = None
    exposure_us: float | None = Field(None, gt=0)
    gain: float | None = None
    frame_rate: float | None = Field(None, gt=0)
    x: int | None = Field(None, ge=0, le=MAX_SIDE)
    y: int | None = Field(None, ge=0, le=MAX_SIDE)
    width: int | None = Field(None, ge=1, le=MAX_SIDE)
    height: int | None = Field(None, ge=1, le=MAX_SIDE)
    packet_size: int | None = Field(None, ge=576, le=16384)
    packet_delay: int | None = Field(None, ge=0, le=1_000_000_000)
    buffers: int = Field(10, ge=3, le=200)
    trigger: Literal["off", "software", "hardware"] = "off"
    line: str = "Line0"
    activation: str = "RisingEdge"
    trigger_deadline_ms: int = Field(500, ge=10, le=60_000)
    chunks: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole_region(self) -> "CameraSettings":
        given = [v is not None for v in (self.x, self.y, self.width, self.height)]
        if any(given) and not all(given):
            raise ValueError("a region needs x, y, width and height")
        return self


def parse(source: str) -> CameraSettings:
    """The settings in an address. Raises CameraError that names what is wrong with it."""
    name, options = split(source)
    given: dict[str, object] = {**options, "device": unquote(name).strip("/")}
    if "chunks" in options:
        given["chunks"] = tuple(name for name in options["chunks"].split(",") if name)
    if not given["device"]:
        raise CameraError(f"'{source}' names no camera: 'draem cameras' lists them ({EXAMPLE})")
    return validate(source, CameraSettings, given, EXAMPLE)


def check_mode(settings: CameraSettings, *, triggered: bool) -> None:
    """Raise CameraError where the address and the station's mode do not fit together."""
    if triggered and settings.trigger == "off":
        raise CameraError(
            "--mode triggered needs a trigger in the camera's address: add trigger=hardware&line="
            "Line0 (or trigger=software), or use --mode free-running"
        )
    if not triggered and settings.trigger != "off":
        raise CameraError(
            f"the address says trigger={settings.trigger}: add --mode triggered, so that every "
            "trigger ends in an event"
        )
