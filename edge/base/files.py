"""Text that people edit, atomic writes, exclusive locks, digests and fsync."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edge.base.errors import DraemError
from edge.base.text import decode_text


def read_text(path: Path, kind: type[DraemError]) -> str:
    """A text in UTF-8, with or without the byte order mark that Windows programs write.

    Raises OSError, and an error of this `kind` that names the first byte that is no text.
    """
    try:
        return decode_text(path.read_bytes())
    except ValueError as error:
        raise kind(f"{path} {error}") from error


@contextmanager
def exclusive_lock(lock: Path, refusal: Exception) -> Iterator[None]:
    """Lock a file (made if missing) or an existing folder for this process.

    The system releases the lock when the process ends. Raises `refusal` while another holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDONLY if lock.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file to write and read back, renamed to `path` when the block ends without an error.

    `mode` are its permissions, less the process's umask.

    After an error `path` is as before and the temporary file is deleted.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "w+b", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # or a loss of power could leave an empty file of that name
        temporary.replace(path)
    except OSError as error:
        if error.filename == str(temporary):
            error.filename = str(path)  # the name that the user knows
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file completely, or leave the old one."""
    with atomic_file(path, mode) as file:
        file.write(data)


def append_line(path: Path, line: bytes) -> None:
    """Append a line and wait until it is on the disk; an incomplete last one is removed."""
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        os.ftruncate(file.fileno(), file.read().rfind(b"\n") + 1)
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fsync(path.parent)


def write_json(path: Path, value: object) -> None:
    """Write indented JSON atomically."""
    write_atomic(path, (json.dumps(value, indent=2) + "\n").encode())


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(folder: Path) -> None:
    """`fsync` for everything in a folder, then for the folder."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            fsync(path)
    fsync(folder)
