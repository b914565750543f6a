"""The settings of one station: command line, then DRAEM_* variables, then station.toml.

Unknown keys are refused in all three places, so that no misspelt setting is ignored.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from edge.base.errors import SettingsError
from edge.base.files import read_text
from edge.base.validation import reason
from edge.engine.runtimes import Flavour
from edge.events.journal import Durability
from edge.product.product import NAME, NAME_RULE

PREFIX = "DRAEM_"
OF_OTHERS = (PREFIX + "STATION_FILE", PREFIX + "DELIVER_PASSWORD")  # variables, no settings
FILE = Path("station.toml")
MAX_RECIPES = 65_535  # the largest value of a register
MAX_DAYS, MAX_MB, MAX_COUNT = 36_500, 1e9, 1_000_000  # times and sizes that can be computed with
Name = Annotated[str, Field(pattern=NAME)]


class Station(BaseSettings):
    """All settings of a station. The descriptions of the fields are the help texts of `draem`."""

    file: ClassVar[Path | None] = None  # instead of station.toml

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, allow_inf_nan=False
    )
    station: Name = Field("station-1", description="the station's name, in every event")
    products: Path = Field(Path("products"), description="the folder of all products")
    product: Name | None = Field(None, description="the product to work on")
    flavour: Flavour | None = Field(
        None,
        description="the engine: tensorrt (a Jetson, or a PC with an NVIDIA card), tensorrt_rtx "
        "(a PC with an RTX card) or openvino (any CPU); default: the first of them that this "
        "device has",
    )
    source: str | None = Field(
        None,
        description="where frames come from: a folder, a video file, a camera number such as 0, "
        "genicam://, rtsp://, http://, gst:// or replay:// (docs/cameras.md), or line:// (a "
        "simulated line, docs/line.md)",
    )
    mode: Literal["free-running", "triggered"] = Field(
        "free-running",
        description="free-running judges the latest frame and counts those skipped; "
        "triggered gives every trigger an event",
    )
    backlog: int = Field(
        1, ge=1, le=1000, description="triggered frames that may wait; one more is an overrun"
    )
    endpoint: str = Field(
        "tcp://127.0.0.1:5570", description="the ZeroMQ address on which events are published"
    )
    replay: str | None = Field(
        None, description="the address of the replay socket (default: the port above endpoint)"
    )
    control: str | None = Field(
        None,
        description="the address of the control socket (default: two above endpoint)",
    )
    live: str | None = Field(
        None, description="the address of the live pictures (default: three above endpoint)"
    )
    live_rate: float = Field(5, ge=0.01, le=60, description="live pictures a second, at most")
    keys: Path | None = Field(
        None,
        description="the folder with server.key and allowed.toml: encrypts all traffic and accepts "
        "only listed clients ('draem keys')",
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
    recipes: dict[int, Name] = Field(
        {}, description='the recipe numbers of products for a PLC: 1 = "lid" in a table [recipes]'
    )
    data: Path = Field(
        Path("data"), description="the folder of the events' logs, one folder a station below it"
    )
    durability: Durability = Field(
        "process",
        description="what the event log survives: process, a crash of the program (0.8 ms an "
        "event, 3 at p99, on two CPU cores with a solid-state disk); full, a loss of power too "
        "(1.2, 11 at p99)",
    )
    keep_days: float = Field(30, gt=0, le=MAX_DAYS, description="days that events stay in the log")
    keep_mb: float = Field(
        2000, ge=1, le=MAX_MB, description="maximum size of the log in megabytes"
    )
    cursor_days: float = Field(
        7,
        gt=0,
        le=MAX_DAYS,
        description="days that the cursor of a silent bridge keeps events in the log",
    )
    pictures_mb: float = Field(
        1000,
        ge=0,
        le=MAX_MB,
        description="maximum megabytes of kept frames: every NG and NO_VERDICT, some OK",
    )
    ok_one_in: int = Field(
        100, ge=0, le=MAX_COUNT, description="keep one OK frame in this many; 0 keeps none"
    )
    ring: int = Field(
        50, ge=0, le=MAX_COUNT, description="number of last frames of any verdict that are kept"
    )
    metrics: str | None = Field(
        None,
        description="[host:]port on which metrics for Prometheus are served; without a host, on "
        "loopback",
    )
    subscribers: int = Field(
        0, ge=0, le=10_000, description="wait for this many subscriptions before the first frame"
    )
    read_deadline_ms: int = Field(
        800,
        ge=1,
        le=3_600_000,
        description="a free-running camera without a frame for this long is a fault",
    )
    bit_depth: int | None = Field(
        None,
        ge=8,
        le=16,
        description="significant bits of 16-bit images, the lowest ones (default: all 16)",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_given(cls, value: object) -> object:
        """An empty variable of a shell is no value, and True is no number."""
        if isinstance(value, str) and (not value.strip() or "\0" in value):
            raise ValueError("leave it out, or give it a value")
        if isinstance(value, bool):
            raise ValueError("this is no switch: give it a value")
        return value

    @field_validator("recipes", mode="before")
    @classmethod
    def _unique_numbers(cls, given: object) -> object:
        """From a table or from pairs, before 1 and 01 become the same key."""
        pairs = list(given.items()) if isinstance(given, dict) else given
        if not isinstance(pairs, list):
            raise ValueError('write a table [recipes] with 1 = "lid" and so on')
        numbers = [str(number).lstrip("0") for number, _ in pairs]
        if not all(n.isdecimal() and n.isascii() and int(n) <= MAX_RECIPES for n in numbers):
            raise ValueError(f"numbers go from 1 to {MAX_RECIPES}")
        if len(set(numbers)) < len(pairs) or len({str(name) for _, name in pairs}) < len(pairs):
            raise ValueError("each number and each product may appear once")
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
        return init_settings, env_settings, _station_file(settings_cls, cls.file)


def _station_file(
    settings_cls: type[BaseSettings], file: Path | None
) -> PydanticBaseSettingsSource:
    """`file`, or the one that DRAEM_STATION_FILE names, or station.toml in the working folder."""
    named = file or os.environ.get(PREFIX + "STATION_FILE")
    path = Path(named) if named else FILE
    if not path.is_file() and (named or path.exists()):
        why = "is not a file" if path.exists() else "does not exist"
        raise SettingsError(f"{path} {why}: correct DRAEM_STATION_FILE, or write the file")
    try:
        values = tomllib.loads(read_text(path, SettingsError)) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read ({error}): correct it") from error
    refuse_unknown(values, str(path))
    return InitSettingsSource(settings_cls, values)


def refuse_unknown(keys: Mapping[str, object], place: str) -> None:
    """Raise SettingsError for a key that is not a field of Station."""
    for key in keys:
        if key not in Station.model_fields:
            known = ", ".join(Station.model_fields)
            raise SettingsError(f"{place} sets '{key}', which is unknown: choose from {known}")


def load_settings(given: Mapping[str, object], file: Path | None = None) -> Station:
    """The settings of a station; `given` is from the command line and goes before all others.

    `file` is read instead of station.toml.

    Raises SettingsError for unknown keys or variables and for invalid values.
    """
    variables = [name for name in os.environ if name.upper().startswith(PREFIX)]
    for name in variables:
        if name not in OF_OTHERS and not name.startswith(PREFIX + "ARCHIVE_"):
            key = name[len(PREFIX) :].lower()
            refuse_unknown({key: None}, f"the environment variable {name}")
    try:
        kind: type[Station] = type("Station", (Station,), {"file": file}) if file else Station
        return kind(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        why = reason(first)
        if first["type"] == "string_pattern_mismatch":
            why = NAME_RULE
        value = repr(first["input"])[:80]
        raise SettingsError(
            f"the setting '{name}' cannot be {value} ({why}): correct it"
        ) from error
