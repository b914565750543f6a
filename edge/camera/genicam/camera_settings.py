"""The settings that a GenICam camera's address asks for."""

from typing import Literal
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.base.errors import CameraError
from edge.camera.address import split

EXAMPLE = "genicam://192.168.1.10?exposure_us=2000&pixel_format=Mono8"


class CameraSettings(BaseModel):
    """One camera and how it is set; what is None stays as the camera has it.

    `x`, `y`, `width`, `height` are the region; all four or none. `packet_size` is in bytes with
    its IP header, `packet_delay` in nanoseconds. `trigger` makes the camera wait for an edge on
    `line`, or for the program; `activation` is the edge. `trigger_deadline_ms` is how long the
    frame of a software trigger may take. `chunks` names chunk data to carry into the event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    device: str
    pixel_format: str | None = None
    exposure_us: float | None = Field(None, gt=0)
    gain: float | None = None
    frame_rate: float | None = Field(None, gt=0)
    x: int | None = Field(None, ge=0)
    y: int | None = Field(None, ge=0)
    width: int | None = Field(None, ge=1)
    height: int | None = Field(None, ge=1)
    packet_size: int | None = Field(None, ge=576, le=16384)
    packet_delay: int | None = Field(None, ge=0)
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
    address = split(source)
    given: dict[str, object] = dict(parse_qsl(address.query, keep_blank_values=True))
    given["device"] = unquote(address.netloc + address.path).strip("/")
    if isinstance(chunks := given.get("chunks"), str):
        given["chunks"] = tuple(name for name in chunks.split(",") if name)
    if not given["device"]:
        raise CameraError(f"'{source}' names no camera: 'draem cameras' lists them ({EXAMPLE})")
    try:
        return CameraSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(CameraSettings.model_fields.keys() - {"device"}))
            raise CameraError(
                f"'{source}': no option '{first['loc'][0]}', there are {known}"
            ) from error
        name = ".".join(map(str, first["loc"])) or "the region"
        raise CameraError(f"'{source}': {name} ({first['msg']}); write {EXAMPLE}") from error
