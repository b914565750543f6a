"""Names of files that Linux, Windows and SMB servers all take, whatever a part's id contains."""

import unicodedata
from hashlib import sha256

FORBIDDEN = frozenset('/\\:*?"<>|')
RESERVED = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10)))
)
"""Names of devices, which Windows takes for files of any extension."""
EMPTY = "none"
MAX_VALUE, MAX_COMPONENT = 80, 160  # bytes in UTF-8; a file system's limit is 255


def safe_value(value: object) -> str:
    """A value as a part of a name: what no name may contain becomes _; `none` for no value."""
    text = unicodedata.normalize("NFC", "" if value is None else str(value)).strip()
    kept = "".join("_" if is_forbidden(char) else char for char in text)
    return _shortened(kept, MAX_VALUE) or EMPTY


def is_forbidden(char: str) -> bool:
    """Whether a character may be in no name; of the blanks only the usual one may."""
    return char in FORBIDDEN or not char.isprintable()


def safe_component(text: str) -> str:
    """The name of a folder, or of a file without its extension.

    It is not hidden, does not lead upwards, and is none of Windows' own names.
    """
    name = text.strip(" ").rstrip(" .")
    if name.startswith(".") or name.split(".")[0].rstrip().upper() in RESERVED or not name:
        name = f"_{name}"
    return _shortened(name, MAX_COMPONENT)


def _shortened(text: str, limit: int) -> str:
    """A long text cut, with eight digits of its SHA-256, so that two long ones stay different."""
    data = text.encode()
    if len(data) <= limit:
        return text
    return f"{data[: limit - 9].decode(errors='ignore')}-{sha256(data).hexdigest()[:8]}"
