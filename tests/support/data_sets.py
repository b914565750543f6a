"""Small data sets in the layouts of public ones."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SHAPE = (40, 48)


def make_set(root: Path, *entries: str) -> Path:
    """Files from words such as 'picture train/good/1.png', 'mask a.png', 'empty b.png'."""
    for entry in entries:
        kind, name = entry.split(maxsplit=1)
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "picture":
            write_picture(path)
        elif kind == "text":
            path.write_text("no picture")
        else:
            marked = np.zeros(SHAPE, np.uint8)
            marked[5:10, 5:10] = 255 * (kind == "mask")
            write_mask(path, marked)
    return root


def write_picture(path: Path) -> NDArray[np.uint8]:
    """A smooth picture that differs from those of other paths."""
    seed = sum(str(path).encode())
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    image = np.asarray(cv2.resize(coarse, SHAPE[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    write_mask(path, image)
    return image


def write_mask(path: Path, mask: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Any pixels, in the format of the suffix."""
    path.write_bytes(cv2.imencode(path.suffix.lower(), mask)[1].tobytes())
