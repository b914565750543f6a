"""What a label says: a mask at full depth, or an annotation file of labelme, Pascal VOC or YOLO."""

import codecs
import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.vision.image_files import read_samples

TEXTS = frozenset({".json", ".xml", ".txt"})
JPEG_NOISE = 16
YOLO_COLUMNS = 5
XML_OBJECT = re.compile(r"<object\b")


def decode(path: Path) -> NDArray[np.float64] | None:
    """Pixels at full depth, a JPEG turned as its EXIF says; None where they cannot be decoded."""
    try:
        return np.asarray(read_samples(path), np.float64)
    except ImageError:
        return None


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask [H, W]: all that is not 0, in any depth, channel or palette; alpha where it varies.

    In a JPEG small values are noise of the compression. Raises ImageError for no picture.
    """
    mask = decode(path)
    if mask is None:
        raise ImageError(f"{path} cannot be read as a mask: restore it, or delete it")
    if mask.ndim == 3 and mask.shape[2] in (2, 4):
        alpha = mask[..., -1]
        mask = alpha if (alpha != alpha[0, 0]).any() else mask[..., :-1]
    lossy = path.suffix.lower() in (".jpg", ".jpeg")
    level = max(JPEG_NOISE, int(np.max(mask)) // 4) if lossy else 0
    marked = mask > level
    return np.asarray(marked if marked.ndim == 2 else marked.any(axis=2), np.bool_)


def is_mask(label: Path) -> bool:
    """Whether a label is a picture, not a text file."""
    return label.suffix.lower() not in TEXTS


def marks_defect(label: Path) -> bool:
    """Whether a mask or an annotation file marks anything."""
    if is_mask(label):
        return bool(read_mask(label).any())
    text = _text(label)
    if label.suffix.lower() == ".json":
        return bool(json.loads(text)["shapes"])
    return bool(XML_OBJECT.search(text) if label.suffix.lower() == ".xml" else text.strip())


def is_annotation(path: Path) -> bool:
    """Whether a text file is a label of labelme, Pascal VOC or YOLO."""
    try:
        text = _text(path)
        if path.suffix.lower() == ".xml":
            return "<annotation" in text
        if path.suffix.lower() == ".txt":
            return all(_is_yolo(line.split()) for line in text.splitlines())
        content = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "shapes" in content


def _text(path: Path) -> str:
    """An annotation as labelling programs of any system write it: only its ASCII counts here.

    One that could not be read would leave its image among the good parts.
    """
    data = path.read_bytes()
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig", "replace")


def _is_yolo(row: list[str]) -> bool:
    """A class, and coordinates as shares of the image."""
    return (
        len(row) >= YOLO_COLUMNS
        and row[0].isdigit()
        and all(0 <= round(float(share), 3) <= 1 for share in row[1:])
    )
