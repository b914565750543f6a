"""Good images for training: read once, fitted, split by content, kept in memory as uint8."""

import hashlib
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.base.console import track
from edge.base.errors import ImageError
from edge.base.files import digest
from edge.vision.fit import Fit
from edge.vision.image_files import find_images, read_images
from edge.vision.marked_images import marked_as, provenance
from trainer.data.layout import good_images

Split = Literal["train", "validation", "calibration"]
SHARES: dict[Split, float] = {"validation": 0.1, "calibration": 0.2}
FEWEST = 12
FEWEST_FOR_CALIBRATION = 5


@dataclass(frozen=True, eq=False)
class Sources:
    """Every image with its digest and split; `images` are fitted, uint8 [N, H, W, 3], BGR.

    `textures` are the digests of the pictures that anomalies are made of, if they are pictures.
    """

    paths: list[Path]
    digests: list[str]
    splits: list[Split]
    images: NDArray[np.uint8]
    textures: tuple[str, ...] = ()

    def part(self, split: Split) -> NDArray[np.uint8]:
        return self.images[[s == split for s in self.splits]]

    @property
    def digest(self) -> str:
        """One digest for all of them and how they are split: the same only for the same images."""
        rows = [f"{sha} {split}" for sha, split in zip(self.digests, self.splits, strict=True)]
        return hashlib.sha256("\n".join([*rows, *self.textures]).encode()).hexdigest()

    def record(self) -> dict[str, object]:
        """What `sources.json` holds."""
        rows = zip(self.digests, self.paths, self.splits, strict=True)
        return {
            "images": [
                {"sha256": sha, "path": str(path.resolve()), "split": split, **provenance(path)}
                for sha, path, split in rows
            ]
        }


def split_of(sha256: str, seed: int) -> float:
    """A number in 0..1 that belongs to an image's content: copies of an image share their split."""
    mixed = hashlib.sha256(f"{seed}:{sha256}".encode()).digest()
    return int.from_bytes(mixed[:8], "big") / 2**64


def assign_splits(digests: list[str], seed: int, picked: Set[str] = frozenset()) -> list[Split]:
    """Exact shares of the distinct images for validation and calibration, the rest for training.

    Those that were `picked` are for training, and count for no share.
    """
    order = sorted(set(digests) - picked, key=lambda sha: split_of(sha, seed))
    held = {split: max(1, round(share * len(order))) for split, share in SHARES.items()}
    held["calibration"] = max(held["calibration"], FEWEST_FOR_CALIBRATION)
    names: list[Split] = []
    for split, count in held.items():
        names += [split] * count
    chosen = dict(zip(order, names, strict=False))
    return [chosen.get(sha, "train") for sha in digests]


def load_sources(
    folder: Path,
    fit: Fit,
    seed: int,
    bit_depth: int | None = None,
    also: tuple[Path, ...] = (),
) -> Sources:
    """Read and fit the good images of `folder` (see trainer.data.layout) and of `also`.

    Raises ImageError where too few can be used.
    """
    found = good_images(folder) + (find_images(*also) if also else [])
    marks = {path: marked_as(path) for path in found}
    for path, label in marks.items():
        if label == "missed":
            raise ImageError(f"{path} is marked as missed: it is no good part, leave it out")
    paths: list[Path] = []
    fitted: list[NDArray[np.uint8]] = []
    reading = read_images(*found, bit_depth=bit_depth)
    for path, image in track(reading, "reading images", total=len(found)):
        try:
            fitted.append(fit(image)[0])
        except ValueError as error:
            raise ImageError(f"{path}: {error}; choose another --crop") from error
        paths.append(path)
    digests = [digest(path) for path in paths]
    # What somebody picked says nothing about parts as they come: it is for training alone.
    picked = {sha for path, sha in zip(paths, digests, strict=True) if marks[path]}
    count = len(set(digests) - picked)
    if count < FEWEST:
        apart = f" beside the {len(picked)} marked ones" if picked else ""
        raise ImageError(
            f"{folder} holds {count} different images{apart}: at least {FEWEST} are needed, and "
            "some hundreds make a good product"
        )
    splits = assign_splits(digests, seed, picked)
    return Sources(paths, digests, splits, np.stack(fitted))
