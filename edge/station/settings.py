"""One station's settings: command line, then DRAEM_* variables, then station.toml; frozen.

Unknown keys are refused in all three places: a misspelt setting would otherwise be silently lost.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from edge.base.errors import SettingsError
from edge.engine.runtimes import Flavour
from edge.events.journal import Durability

PREFIX = "DRAEM_"
FILE = Path("station.toml")
MOST_RECIPES = 65_535  # a register holds no more


class Station(BaseSettings):
    """Everything that is set for one station. Field descriptions are the help of `draem`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True
    )
    station: str = Field("station-1", description="the station's name, in every event")
    products: Path = Field(Path("products"), description="the folder of all products")
    product: str | None = Field(None, description="the product to work on")
    flavour: Flavour | None = Field(
        None,
        description="the engine: tensorrt (a Jetson, or a PC with an NVIDIA card), tensorrt_rtx "
        "(a PC with an RTX card) or openvino (any CPU); default: the first that this device has",
    )
    source: str | None = Field(
        None,
        description="where frames come from: a folder, a video file, a camera number such as 0, "
        "genicam://, rtsp://, http://, gst:// or replay:// (docs/cameras.md), or line:// (a "
        "simulated line, docs/line.md)",
    )
    mode: Literal["free-running", "triggered"] = Field(
        "free-running",
        description="free-running judges the latest frame and counts those passed over; "
        "triggered ends every trigger in an event",
    )
    backlog: int = Field(
        1, ge=1, le=1000, description="triggered frames that may wait; one more is an overrun"
    )
    endpoint: str = Field(
        "tcp://127.0.0.1:5570", description="the ZeroMQ address on which events are published"
    )
    replay: str | None = Field(
        None, description="the address at which the log answers (default: the port above endpoint)"
    )
    control: str | None = Field(
        None,
        description="the address at which the line is controlled (default: two above endpoint)",
    )
    live: str | None = Field(
        None, description="the address of the live pictures (default: three above endpoint)"
    )
    live_rate: float = Field(5, gt=0, le=60, description="live pictures a second, at most")
    keys: Path | None = Field(
        None,
        description="the folder with server.key and allowed.toml: encrypts all traffic and lets in "
        "who is listed ('draem keys')",
    )
    key: Path | None = Field(None, description="this client's own key pair, a .key file")
    server_key: Path | None = Field(
        None, description="the station's public key, a copy of its server.pub"
    )
    trust: Path | None = Field(
        None,
        description="the public key that every imported release must be signed with, a "
        "NAME.release.pub of 'draem release key'",
    )
    recipes: dict[int, str] = Field(
        {}, description='the numbers by which a PLC names products: 1 = "lid" in a table [recipes]'
    )
    data: Path = Field(
        Path("data"), description="the folder of the events' logs, one folder a station below it"
    )
    durability: Durability = Field(
        "process",
        description="what the log of events survives: process, a crash of the program (0.8 ms an "
        "event, 3 at p99, on two CPU cores with a solid-state disk); full, a loss of power too "
        "(1.2, 11 at p99)",
    )
    keep_days: float = Field(30, gt=0, description="days that events stay in the log")
    keep_mb: float = Field(2000, ge=1, description="megabytes that the log may take")
    cursor_days: float = Field(
        7, gt=0, description="days that a silent bridge's cursor holds events in the log"
    )
    pictures_mb: float = Field(
        1000, ge=0, description="megabytes of kept frames: every NG and NO_VERDICT, some OK"
    )
    ok_one_in: int = Field(100, ge=0, description="one OK frame in so many is kept; 0 keeps none")
    ring: int = Field(50, ge=0, description="so many of the last frames of any verdict are kept")
    subscribers: int = Field(
        0, ge=0, description="wait for so many subscriptions before the first frame"
    )
    read_deadline_ms: int = Field(
        800, ge=1, description="a free-running camera that is silent for so long is a fault"
    )
    bit_depth: int | None = Field(
        None, ge=8, le=16, description="significant bits of 16-bit images that do not state theirs"
    )

    @field_validator("recipes", mode="before")
    @classmethod
    def _each_number_once(cls, given: object) -> object:
        """From a table, or from pairs; two spellings of one number would be one key afterwards."""
        pairs = list(given.items()) if isinstance(given, dict) else given
        if not isinstance(pairs, list):
            raise ValueError('write a table [recipes] with 1 = "lid" and so on')
        numbers = [str(number).lstrip("0") for number, _ in pairs]
        if not all(n.isdecimal() and n.isascii() and int(n) <= MOST_RECIPES for n in numbers):
            raise ValueError(f"numbers go from 1 to {MOST_RECIPES}")
        if len(set(numbers)) < len(pairs) or len({str(name) for _, name in pairs}) < len(pairs):
            raise ValueError("each number and each product may be there once")
        return dict(zip(numbers, (name for _, name in pairs), strict=True))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _TomlFile(settings_cls)


class _TomlFile(PydanticBaseSettingsSource):
    """station.toml in the working folder, or the file that DRAEM_STATION_FILE names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        named = os.environ.get(PREFIX + "STATION_FILE")
        path = Path(named) if named else FILE
        if not path.exists():
            if named:
                raise SettingsError(f"{path} does not exist: correct DRAEM_STATION_FILE")
            return {}
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read ({error}): mend it") from error
        refuse_unknown(values, str(path))
        return values


def refuse_unknown(keys: Mapping[str, object], place: str) -> None:
    """Raise SettingsError for a key that is no field of Station."""
    for key in keys:
        if key not in Station.model_fields:
            known = ", ".join(Station.model_fields)
            raise SettingsError(f"{place} sets '{key}', which is unknown: choose from {known}")


def load_settings(given: Mapping[str, object]) -> Station:
    """The station's settings, with those of the command line on top.

    Raises SettingsError for unknown keys or variables and for values that do not fit.
    """
    variables = [name for name in os.environ if name.upper().startswith(PREFIX)]
    for name in variables:
        if name != PREFIX + "STATION_FILE":
            key = name[len(PREFIX) :].lower()
            refuse_unknown({key: None}, f"the environment variable {name}")
    try:
        return Station(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingsError(
            f"the setting '{name}' cannot be {first['input']!r} ({first['msg']}): correct it"
        ) from error
