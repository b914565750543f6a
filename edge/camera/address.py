"""Addresses of cameras: scheme://name?option=value&..., checked against typed settings."""

import re
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ValidationError

from edge.base.errors import CameraError
from edge.base.passwords import without_password as without_password
from edge.base.validation import reason
from edge.events.endpoints import MAX_PORT

Settings = TypeVar("Settings", bound=BaseModel)


def split(source: str) -> tuple[str, dict[str, str]]:
    """The name in an address, and its options. Raises CameraError for a malformed address."""
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise CameraError(f"'{source}' is not an address ({error}): correct it") from error
    options = parse_qsl(parts.query, keep_blank_values=True)
    if parts.fragment or len(dict(options)) < len(options):
        fix = "give each option once, and write %23 for # in a value"
        raise CameraError(f"'{source}' is not an address: {fix}")
    return parts.netloc + parts.path, dict(options)


def validate(
    source: str, settings: type[Settings], given: Mapping[str, object], example: str
) -> Settings:
    """The typed settings of an address. Raises CameraError that names the first wrong option."""
    try:
        return settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the options"
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(settings.model_fields))
            raise CameraError(f"'{source}': no option '{name}', there are {known}") from error
        raise CameraError(f"'{source}': {name} ({reason(first)}); write {example}") from error


def check_port(source: str) -> None:
    """Raise CameraError for a port that there is not: libraries take it modulo 65536."""
    address = source.partition("://")[2].rpartition("@")[2]
    port = re.match(r"(?:\[[^]/]*\]|[^:/?#\[]*):(-?[0-9]+)(?:[/?#]|$)", address)
    if port and not 1 <= int(port[1][:6]) <= MAX_PORT:
        raise CameraError(f"'{source}' has no port between 1 and {MAX_PORT}: correct it")


def login_hint(source: str) -> str:
    """How to write an address whose user or password has a character that ends the login."""
    login = re.search(r"://(\S*:.*)@", source.removeprefix("gst://"))
    if login is None or not re.search(r"[/?#@\s]", login[1]):
        return ""
    return "; in its user and password write %2F for /, %40 for an at sign, %3F for ?, %23 for #"
