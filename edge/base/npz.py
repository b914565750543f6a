"""Arrays from a .npz file, no larger than they may be: its own sizes are checked before reading."""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others that Python reads may need gigabytes for a few bytes."""
ENCRYPTED = 1
CHUNK = 1 << 20
ERRORS = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, struct.error),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)


def read_npz(
    path: Path, types: Mapping[str, DTypeLike], most_bytes: int
) -> dict[str, NDArray[Any]]:
    """The arrays that `types` names, together at most `most_bytes`; others are not read.

    Raises ValueError for all that is wrong with the file: a name that is missing, another type,
    an array that is cut short or larger.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise ValueError(f"it is larger than {most_bytes} bytes")
        with zipfile.ZipFile(path) as packed:
            found = {}
            for name, dtype in types.items():
                found[name] = _read_array(packed, name, np.dtype(dtype), most_bytes)
                most_bytes -= found[name].nbytes
            return found
    except ERRORS as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise ValueError(what.split("\n", 1)[0]) from error


def _read_array(
    packed: zipfile.ZipFile, name: str, dtype: np.dtype[Any], most_bytes: int
) -> NDArray[Any]:
    info = packed.getinfo(f"{name}.npy")
    if info.compress_type not in METHODS or info.flag_bits & ENCRYPTED:
        raise ValueError(f"{name} is packed in a way that numpy does not use")
    with packed.open(info) as file:
        if npy.read_magic(file) != (1, 0):  # the only one whose header is short
            raise ValueError(f"{name} is of a format that numpy does not use for it")
        shape, fortran, found = npy.read_array_header_1_0(file)
        if found != dtype:
            raise ValueError(f"{name} is {found}, not {dtype}")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size > most_bytes:
            raise ValueError(f"{name} would be {size} bytes large")
        data = np.empty(size, np.uint8)
        at = 0
        while read := file.readinto(data[at : at + CHUNK].data):  # type: ignore[attr-defined]
            at += read
        if at < size or file.read(1):
            raise ValueError(f"{name} has more or less bytes than its shape says")
    return data.view(dtype).reshape(shape, order="F" if fortran else "C")
