"""What the address of a GenICam camera may say: genicam://ID-or-address?exposure_us=2000&..."""

import re
from urllib.parse import SplitResult, urlsplit

from edge.base.errors import CameraError


def split(source: str) -> SplitResult:
    """The parts of an address. Raises CameraError for one that is none."""
    try:
        return urlsplit(source)
    except ValueError as error:
        raise CameraError(f"'{source}' is no address ({error}): correct it") from error


def without_password(source: str) -> str:
    """An address as it may be told and logged."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", source)
