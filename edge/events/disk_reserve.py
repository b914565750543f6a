"""Disk space that is kept for the time when the disk is full."""

import logging
import os
import shutil
from pathlib import Path

log = logging.getLogger(__name__)

RESERVE_NAME = "reserve"


class DiskReserve:
    """A file of `size` bytes beside the log. Without it a full disk could not even be reported."""

    def __init__(self, folder: Path, size: int) -> None:
        self._path, self._size = folder / RESERVE_NAME, size

    def allocate(self) -> None:
        """Make the file, unless it exists or less than twice its size is free."""
        try:
            if self._path.exists() and self._path.stat().st_size >= self._size:
                return
            if shutil.disk_usage(self._path.parent).free >= 2 * self._size:
                with self._path.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError as error:
            log.warning("no disk space can be reserved as %s (%s)", self._path, error)

    def free(self) -> bool:
        """Delete the file; False if that gave no space."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("%s cannot be deleted (%s)", self._path, error)
            return False
        return True
