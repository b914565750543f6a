"""How well a product's engine tells good from bad on labelled images (MVTec layout)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from edge.engine import Engine
from edge.errors import ImageError
from edge.images import read_images
from edge.product import Product

SIDE = 256
"""Pixel metrics are always taken at 256x256."""


@dataclass(frozen=True)
class Metrics:
    """Over `images` images, `defective` of them with a defect; `pixel_ap` is None without masks."""

    images: int
    defective: int
    image_auroc: float
    pixel_ap: float | None


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled image; `truth` is HW at its own size, None where no mask exists for a defect."""

    path: Path
    image: NDArray[np.uint8]
    defective: bool
    truth: NDArray[np.bool_] | None


def samples(root: Path, bit_depth: int | None = None) -> Iterator[Sample]:
    """test/good and test/<defect> with ground_truth/<defect>/<name>_mask.png below `root`."""
    test = root / "test" if (root / "test").is_dir() else root
    if not (test / "good").is_dir():
        raise ImageError(f"{root} has no test/good: name a folder in MVTec layout")
    for path, image in read_images(test, bit_depth=bit_depth):
        kind = path.parent.name
        if kind == "good":
            yield Sample(path, image, False, np.zeros(image.shape[:2], np.bool_))
            continue
        mask_path = test.parent / "ground_truth" / kind / f"{path.stem}_mask.png"
        mask = cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
        yield Sample(path, image, True, mask > 0 if mask is not None and mask.any() else None)


def reduce_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask at 256x256 in which any pixel that touches a defect counts: none is lost."""
    shrunk = cv2.resize(mask.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk > 0)


def evaluate(product: Product, engine: Engine, root: Path, bit_depth: int | None = None) -> Metrics:
    """Image AUROC of the scores, average precision of the pixels at 256x256.

    With a crop, pixels are compared where the product looks. Raises ImageError as `samples`.
    """
    labels, scores = [], []
    truths: list[NDArray[np.bool_]] = []
    heats: list[NDArray[np.float32]] = []
    for sample in samples(root, bit_depth):
        try:
            fitted, placement = product.fit(sample.image)
        except ValueError as error:
            raise ImageError(f"{sample.path}: {error}") from error
        score, heatmap = engine.infer(fitted[None])
        labels.append(sample.defective)
        scores.append(float(score[0]))
        if sample.truth is not None:
            x, y, width, height = placement.crop
            seen = sample.truth[y : y + height, x : x + width]
            truths.append(reduce_mask(seen).ravel())
            large = cv2.resize(heatmap[0], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            heats.append(np.asarray(large, np.float32).ravel())
    if len(set(labels)) < 2:
        raise ImageError(f"{root} needs good and defective images for an AUROC")
    return Metrics(
        images=len(labels),
        defective=sum(labels),
        image_auroc=float(roc_auc_score(labels, scores)),
        pixel_ap=_pixel_ap(truths, heats),
    )


def _pixel_ap(truths: list[NDArray[np.bool_]], heats: list[NDArray[np.float32]]) -> float | None:
    """Average precision over all pixels; None where no defect has a mask."""
    truth = np.concatenate(truths)
    return float(average_precision_score(truth, np.concatenate(heats))) if truth.any() else None
