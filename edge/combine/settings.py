"""The settings of one `draem combine`: command line, then combine.toml.

Unlike a station's they are in no DRAEM_* variables: those of a station on the same machine would be
taken for its own.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from edge.base.errors import SettingsError
from edge.base.files import read_text
from edge.base.validation import reason
from edge.combine.products import Products
from edge.combine.sight import By
from edge.events.journal import Durability
from edge.events.replay_server import CURSOR_NAME

FILE = Path("combine.toml")
MAX_VIEWS, MAX_DEADLINE_S = 16, 60.0
MAX_DAYS, MAX_MB = 36_500, 1e9
TIME = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)")

Name = Annotated[str, Field(pattern=CURSOR_NAME)]


def seconds(given: object) -> object:
    """Seconds from 500ms or 0.5s; other values are left to the field."""
    found = TIME.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError("write a time with its unit, as 500ms or 0.5s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ViewAddress(_Settings):
    """Where a station publishes, and where its log answers (by default the port above)."""

    endpoint: str
    replay: str | None = None
    server_key: Path | None = None


def _address(given: object) -> object:
    return {"endpoint": given} if isinstance(given, str) else given


class Combine(_Settings):
    """All settings. The descriptions of the fields are the help texts of `draem combine`."""

    views: dict[Name, Annotated[ViewAddress, BeforeValidator(_address)]] = Field(
        {}, description="a view's name, and where its station publishes"
    )
    by: By = Field(
        "trigger-id", description="what joins the views of a part: the same id from each station"
    )
    deadline: Annotated[float, BeforeValidator(seconds), Field(gt=0, le=MAX_DEADLINE_S)] = Field(
        "500ms",
        validate_default=True,
        description="the age of a part, counted from its first picture, at which a view is missing",
    )
    products: dict[Name, dict[Name, str]] = Field(
        {},
        description="a part's product, and what each view judges for it; without any, all views "
        "judge a product of one name",
    )
    station: Annotated[str, Field(pattern=CURSOR_NAME)] = Field(
        "combined", description="the name of the joined stream, in every event"
    )
    endpoint: str = Field(
        "tcp://127.0.0.1:5600", description="the ZeroMQ address on which events are published"
    )
    replay: str | None = Field(
        None, description="the address of the replay socket (default: the port above endpoint)"
    )
    control: str | None = Field(
        None, description="the address of the control socket (default: two above endpoint)"
    )
    keys: Path | None = Field(
        None,
        description="the folder with server.key and allowed.toml: encrypts all traffic and accepts "
        "only listed clients ('draem keys')",
    )
    key: Path | None = Field(None, description="this client's own key pair, for the stations")
    server_key: Path | None = Field(
        None, description="the stations' public key, a copy of their server.pub"
    )
    data: Path = Field(
        Path("data"), description="the folder of the events' logs, one folder a station below it"
    )
    durability: Durability = Field(
        "process", description="what the event log survives: process, a crash of the program; "
        "full, a loss of power too"
    )  # fmt: skip
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

    @model_validator(mode="after")
    def _fits(self) -> "Combine":
        if not 2 <= len(self.views) <= MAX_VIEWS:
            raise ValueError(
                f"a part has 2 to {MAX_VIEWS} views: name each with --view NAME=ENDPOINT"
            )
        if len({view.endpoint for view in self.views.values()}) < len(self.views):
            raise ValueError("two views have one endpoint: give each its own station's")
        for name, parts in self.products.items():
            if parts.keys() != self.views.keys():
                raise ValueError(f"the product {name} must name one product for each view")
        fitting = [tuple(sorted(parts.items())) for parts in self.products.values()]
        if len(set(fitting)) < len(fitting):
            raise ValueError("two products name the same products of the views: give one of them")
        return self

    @property
    def fitting(self) -> Products:
        """Which products the views must judge together."""
        return Products(self.products)


def load_combine(given: Mapping[str, Any], file: Path | None = None) -> Combine:
    """The settings; `given` is from the command line and goes before those of the file.

    `file` is read instead of combine.toml. Raises SettingsError.
    """
    path = file or FILE
    if file and not file.is_file():
        raise SettingsError(f"{file} does not exist: correct --file, or write it")
    try:
        values = tomllib.loads(read_text(path, SettingsError)) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read ({error}): correct it") from error
    values |= {name: value for name, value in given.items() if value}
    try:
        return Combine.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from error


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    why = reason(first)
    if first["type"] == "extra_forbidden":
        known = ", ".join(Combine.model_fields)
        return f"the setting '{name}' is unknown: choose from {known}"
    if not name:
        return why
    value = repr(first["input"])[:80]
    return f"the setting '{name}' cannot be {value} ({why}): correct it"
