"""Good images for training: read once, fitted, split by content, kept as uint8."""

import hashlib
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import ImageError
from edge.base.files import digest
from edge.vision.fit import Fit
from edge.vision.good_parts import good_images
from edge.vision.image_files import find_images
from edge.vision.marked_images import marked_as, provenance
from trainer.data.fitted import read_fitted, with_quality
from trainer.data.pictures import Pictures

Split = Literal["train", "validation", "calibration"]
SHARES: dict[Split, float] = {"validation": 0.1, "calibration": 0.2}
MIN_IMAGES = 10
MIN_CALIBRATION_IMAGES = 5


@dataclass(frozen=True, eq=False)
class Images:
    """Good images uint8 [N, H, W, 3]: to train on, to validate with, and the digest of them all.

    In a training in tiles `train` are whole pictures, and `validation` crops of the tile's size.
    """

    train: NDArray[np.uint8] | Pictures
    validation: NDArray[np.uint8]
    digest: str = ""

    @property
    def gray(self) -> bool:
        """Whether no image has any colour."""
        return all(bool((i[..., :1] == i).all()) for i in (*self.train, *self.validation))


@dataclass(frozen=True, eq=False)
class Sources:
    """Every image with its digest and split; `images` are fitted, uint8 [N, H, W, 3], BGR.

    `origins` say which parts images from the line show. `textures` are the digests of the pictures
    that anomalies are made of, if they are pictures. `fit` is what the line shall use.
    """

    paths: list[Path]
    digests: list[str]
    splits: list[Split]
    images: NDArray[np.uint8]
    origins: list[dict[str, object]]
    fit: Fit
    textures: tuple[str, ...] = ()

    def pictures(self, split: Split) -> Pictures:
        """The images of a split where they are."""
        return Pictures(self.images, [i for i, s in enumerate(self.splits) if s == split])

    def part(self, split: Split) -> NDArray[np.uint8]:
        """A copy of the images of a split."""
        return self.pictures(split).all()

    @property
    def digest(self) -> str:
        """The same only for the same images."""
        rows = [f"{sha} {split}" for sha, split in zip(self.digests, self.splits, strict=True)]
        aligner = [self.fit.aligner.digest] if self.fit.aligner else []
        return hashlib.sha256("\n".join([*rows, *self.textures, *aligner]).encode()).hexdigest()

    def training_images(self) -> Images:
        """All but those for calibration."""
        return Images(self.part("train"), self.part("validation"), self.digest)

    def record(self) -> dict[str, object]:
        """The contents of `sources.json`."""
        rows = zip(self.digests, self.paths, self.splits, self.origins, strict=True)
        return {
            "images": [
                {"sha256": sha, "path": str(path.resolve()), "split": split, **origin}
                for sha, path, split, origin in rows
            ]
        }


def assign_splits(digests: list[str], seed: int, marked: Set[str] = frozenset()) -> list[Split]:
    """Exact shares of the distinct images for validation and calibration, the rest for training.

    The order is random but depends on seed and content only, so that copies of an image share their
    split. `marked` images are for training and count for no share.
    """

    def order(sha256: str) -> bytes:
        return hashlib.sha256(f"{seed}:{sha256}".encode()).digest()[:8]

    distinct = sorted(set(digests) - marked, key=order)
    held = {split: max(1, round(share * len(distinct))) for split, share in SHARES.items()}
    held["calibration"] = max(held["calibration"], MIN_CALIBRATION_IMAGES)
    names: list[Split] = []
    for split, count in held.items():
        names += [split] * count
    chosen = dict(zip(distinct, names, strict=False))
    return [chosen.get(sha, "train") for sha in digests]


def load_sources(
    folder: Path,
    fit: Fit,
    seed: int,
    bit_depth: int | None = None,
    also: tuple[Path, ...] = (),
    textures: Path | None = None,
    archived: Sequence[Path] = (),
    runs: Path = Path("runs"),
    *,
    learn_quality: bool = True,
) -> Sources:
    """Read and fit the good images of `folder` (see edge.vision.good_parts) and of `also`.

    `archived` are pictures of an archive, which are not needed afterwards. Large pictures are kept
    in a file in `runs`. With an alignment its least quality is learned from the images, unless told
    otherwise. Raises ImageError where too few can be used, or a part cannot be aligned.
    """
    found = [*good_images(folder, *also), *archived]
    marks = {path: marked_as(path) for path in found}
    for path, label in marks.items():
        if label == "missed":
            raise ImageError(f"{path} is marked as missed: it is no good part, leave it out")
    paths, fitted, qualities = read_fitted(found, fit, bit_depth, runs)
    digests = [digest(path) for path in paths]
    # Images that somebody selected do not represent parts as they come: for training only.
    marked = {sha for path, sha in zip(paths, digests, strict=True) if marks[path]}
    _check_count(folder, digests, marked)
    splits = assign_splits(digests, seed, marked)
    pictures = [digest(path) for path in find_images(textures)] if textures else []
    origins = [provenance(path) for path in paths]
    if fit.aligner and learn_quality:
        fit = replace(fit, aligner=with_quality(fit.aligner, qualities))
    return Sources(paths, digests, splits, fitted, origins, fit, tuple(pictures))


def _check_count(folder: Path, digests: list[str], marked: Set[str]) -> None:
    """Raise ImageError unless enough different images represent parts as they come."""
    count = len(set(digests) - marked)
    if count >= MIN_IMAGES:
        return
    beside = f" beside the {len(marked)} marked ones" if marked else ""
    copies = f" (of {len(digests)})" if len(set(digests)) < len(digests) else ""
    raise ImageError(
        f"{folder} holds {count} different images{copies}{beside}: at least {MIN_IMAGES} are "
        "needed, and some hundreds make a good product"
    )
