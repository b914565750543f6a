"""JSON files as pydantic models, and one line out of a validation error."""

import json
import math
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edge.base.text import decode_text

Model = TypeVar("Model", bound=BaseModel)

MOST_JSON = 16 << 20
"""Of a JSON file that is read into memory."""


def first_cause(error: Exception) -> str:
    """The first line of an error; of pydantic's, the first field and what is wrong with it."""
    if not isinstance(error, ValidationError):
        return str(error).split("\n", 1)[0]
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    text = reason(first)
    return f"{field}: {text}" if field else text


def reason(error: ErrorDetails) -> str:
    """What is wrong, without pydantic's words before a message of ours."""
    return error["msg"].removeprefix("Value error, ")


def read_json(path: Path, model: type[Model]) -> Model:
    """A JSON file as a model. Raises OSError, and ValueError as `parse_json` does."""
    return parse_json(read_bytes(path), model)


def read_bytes(path: Path) -> bytes:
    """The bytes of a JSON file, of one that is too large only so many as show it."""
    with path.open("rb") as file:
        return file.read(MOST_JSON + 1)


def parse_json(data: bytes, model: type[Model]) -> Model:
    """JSON as a model: types are not converted. Raises ValueError, also as `load_json` does."""
    load_json(data)
    return model.model_validate_json(decode_text(data), strict=True)


def load_json(data: bytes) -> object:
    """JSON with finite numbers, no key twice in an object, and a bounded size and depth.

    Python and pydantic accept all of these, each in its own way. Raises ValueError.
    """
    if len(data) > MOST_JSON:
        raise ValueError(f"it is larger than {MOST_JSON} bytes")
    try:
        return json.loads(
            decode_text(data),
            parse_constant=_finite,
            parse_float=_finite,
            object_pairs_hook=_distinct,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no finite number")
    return number


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {twice[:40]!a} twice")
    return found
