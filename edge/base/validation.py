"""One line out of a validation error."""

from pydantic import ValidationError


def first_cause(error: Exception) -> str:
    """The first line of an error; of pydantic's, the first field and what is wrong with it."""
    if not isinstance(error, ValidationError):
        return str(error).split("\n", 1)[0]
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    text = first["msg"].removeprefix("Value error, ")
    return f"{field}: {text}" if field else text
