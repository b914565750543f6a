"""Good images as the network sees them: read once, aligned where the product is, fitted."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.base.console import track
from edge.base.errors import ImageError
from edge.base.large_arrays import room_for
from edge.vision.aligner import Aligner
from edge.vision.alignment import LEAST_QUALITY, NotAligned
from edge.vision.fit import Fit
from edge.vision.image_files import read_images
from edge.vision.image_folders import warn_of_mixed_sizes

QUALITY_SHARE = 0.75
"""Of the least quality of an alignment of the images: less is refused on the line."""

log = logging.getLogger(__name__)


class FittedImages(NamedTuple):
    """The files that can be read, their images uint8 [N, H, W, 3], and each alignment's quality."""

    paths: list[Path]
    images: NDArray[np.uint8]
    qualities: list[float]


def read_fitted(found: list[Path], fit: Fit, bit_depth: int | None, runs: Path) -> FittedImages:
    """Large pictures are kept in a file in `runs`.

    Raises ImageError where there is no room, or a part does not fit or cannot be aligned.
    """
    try:
        fitted = room_for((len(found), fit.height, fit.width, 3), np.uint8, runs, "the pictures")
    except OSError as error:
        raise ImageError(
            f"{error}: free space, name another --runs, or take fewer pictures or a smaller --scale"
        ) from error
    paths: list[Path] = []
    qualities: list[float] = []
    lost: list[str] = []
    sizes: Counter[tuple[int, ...]] = Counter()
    reading = read_images(*found, bit_depth=bit_depth)
    for path, image in track(reading, "reading images", total=len(found)):
        try:
            fitted[len(paths)], placement = fit(image)
        except NotAligned as error:
            lost.append(f"{path}: {error}")
            continue
        except ValueError as error:
            raise ImageError(f"{path}: {error}; choose another --crop") from error
        if placement.motion is not None:
            qualities.append(placement.motion.quality)
        paths.append(path)
        sizes[image.shape[:2]] += 1
    _check_aligned(lost, len(found))
    warn_of_mixed_sizes(sizes)
    return FittedImages(paths, fitted[: len(paths)], qualities)


def _check_aligned(lost: list[str], count: int) -> None:
    """Raise ImageError where parts were not aligned; each is logged."""
    for line in lost:
        log.warning("%s", line)
    if lost:
        raise ImageError(
            f"the parts in {len(lost)} of {count} images cannot be aligned, such as {lost[0]}: "
            "remove images that show no such part, name another picture with --align, widen the "
            "limits (--align-turn, --align-shift), or leave room around the part (--crop, camera)"
        )


def with_quality(aligner: Aligner, qualities: list[float]) -> Aligner:
    """With a limit that all of the images keep by far."""
    least = max(LEAST_QUALITY, round(QUALITY_SHARE * min(qualities), 3))
    log.info(
        "the parts are aligned with a quality of %.2f (median) and at least %.2f: below %.2f there "
        "will be no verdict",
        float(np.median(qualities)),
        min(qualities),
        least,
    )
    return replace(aligner, settings=aligner.settings.model_copy(update={"quality": least}))
