"""Arrays of many pictures: in memory, or in a file on the disk where they are too large for it."""

import logging
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

log = logging.getLogger(__name__)

IN_MEMORY = 2 << 30
"""Bytes of an array that is held in memory; a larger one is read from a file as it is needed."""
LEFT_FREE = 1 << 30
"""Bytes of a disk that such a file leaves free."""


def room_for(shape: tuple[int, ...], dtype: DTypeLike, folder: Path, what: str) -> NDArray[Any]:
    """An array for values that are still to come, in memory or in a file in `folder`.

    The file has no name and goes with the process, however that ends. Raises OSError in one line
    where the disk is too small for `what`.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.empty(shape, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    log.info("%s take %.1f GB: they are kept in a file in %s meanwhile", what, size / 1e9, folder)
    lack = OSError(f"{folder} has no room for {what}, which take {size / 1e9:.1f} GB")
    if size > shutil.disk_usage(folder).free - LEFT_FREE:
        raise lack
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # or a full disk would end the process
        except OSError as error:
            raise lack from error
        return np.memmap(file, dtype, "r+", shape=shape)
