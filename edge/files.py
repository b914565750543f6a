"""Files that appear whole or not at all."""

import hashlib
import json
import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write by way of a temporary name; where that fails, neither of the two is left half done."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # or a loss of power could leave an empty file behind the name
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """JSON that a person can read."""
    write_whole(path, (json.dumps(value, indent=2) + "\n").encode())


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
