"""Files that appear whole or not at all, and folders that are one process's own."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def exclusive_lock(lock: Path, refusal: Exception) -> Iterator[None]:
    """Hold a file, or a folder that is there, for this process; a killed one gives it back.

    Raises `refusal` while another process has it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = os.open(lock, os.O_RDONLY if lock.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
    finally:
        os.close(held)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write (and read back) that gets its name when the block has ended well.

    Where it fails, neither the name nor a temporary one is left half done.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # or a loss of power could leave an empty file behind the name
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write by way of a temporary name; where that fails, neither of the two is left half done."""
    with atomic_file(path) as file:
        file.write(data)


def write_json(path: Path, value: object) -> None:
    """JSON that a person can read."""
    write_atomic(path, (json.dumps(value, indent=2) + "\n").encode())


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Have the disk hold a file's bytes, or a folder's names, before anything builds on them."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def fsync_tree(folder: Path) -> None:
    """`sync` for everything in a folder, and for itself."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            fsync(path)
    fsync(folder)
