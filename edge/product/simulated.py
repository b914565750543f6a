"""simulated.npz: held-out good frames with and without a simulated anomaly, and the trained
network's figures on them; what a reduced precision is chosen and proven by.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.base.errors import ProductError
from edge.base.npz import read_npz
from edge.product.product import Product

SIMULATED = "simulated.npz"
MOST_BYTES = 1 << 30
TYPES: dict[str, DTypeLike] = {
    "frames": np.uint8,
    "masks": np.uint8,
    "score": np.float32,
    "image_auroc": np.float64,
    "pixel_ap": np.float64,
}


class Simulated(NamedTuple):
    """Frames [2P, H, W, 3], P with an anomaly each and then the same P without; masks [P, H, W].

    Layers are chosen on the even pairs. The rest are of the odd pairs, which prove: the scores [P]
    of the network in float32, and its image AUROC and pixel AP.
    """

    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    score: NDArray[np.float32]
    image_auroc: float
    pixel_ap: float

    def choosing(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Frames and masks of the pairs that layers may be chosen by."""
        return pairs(self.frames, self.masks, 0)

    def proving(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Frames and masks of the pairs that nothing is chosen by."""
        return pairs(self.frames, self.masks, 1)


def pairs(
    frames: NDArray[np.uint8], masks: NDArray[np.bool_], first: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Every second pair from `first` on: those with anomalies, then those without."""
    count = len(masks)
    return np.concatenate((frames[first:count:2], frames[count + first :: 2])), masks[first::2]


def read_simulated(product: Product) -> Simulated | None:
    """A product's simulated anomalies; None where it has none. Raises ProductError."""
    path = product.path / SIMULATED
    if SIMULATED not in product.manifest.files:
        return None
    try:
        arrays = read_npz(path, TYPES, MOST_BYTES)
        return _checked(arrays, product.shape)
    except ValueError as error:
        raise ProductError(
            f"{path} cannot be used ({error}): restore it from a backup, or train again"
        ) from error


def _checked(arrays: Mapping[str, NDArray[Any]], height_width: tuple[int, int]) -> Simulated:
    """Raise ValueError unless all shapes and values are possible."""
    height, width = height_width
    packed, score = arrays["masks"], arrays["score"]
    count = len(packed) if packed.ndim else 0
    if count < 2:
        raise ValueError("it has fewer than two pairs")
    shapes: dict[str, tuple[int, ...]] = {
        "frames": (2 * count, height, width, 3),
        "masks": (count, height, -(-width // 8)),
        "score": (2 * (count // 2),),
        "image_auroc": (),
        "pixel_ap": (),
    }
    for name, should in shapes.items():
        if arrays[name].shape != should:
            raise ValueError(f"{name} is {list(arrays[name].shape)}, not {list(should)}")
    image_auroc, pixel_ap = float(arrays["image_auroc"]), float(arrays["pixel_ap"])
    if not all(0 <= figure <= 1 for figure in (image_auroc, pixel_ap)):
        raise ValueError("its figures are no shares")
    if not np.isfinite(score).all():
        raise ValueError("score has values that are not finite")
    masks = np.unpackbits(packed, axis=2, count=width).astype(bool)
    if not masks.any(axis=(1, 2)).all():
        raise ValueError("a mask is empty")
    return Simulated(arrays["frames"], masks, score, image_auroc, pixel_ap)
