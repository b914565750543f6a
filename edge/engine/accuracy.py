"""Proof that a reduced precision finds the same defects: simulated anomalies on held-out parts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import EngineError
from edge.engine import Engine
from edge.product.product import Product
from edge.product.simulated import Simulated, read_simulated
from edge.vision.ranking import auroc, average_precision

AUROC_LOSS = 0.003
AP_LOSS = 0.01
"""What image AUROC and pixel AP may lose against float32; a gain is not bounded."""


@dataclass(frozen=True)
class Accuracy:
    """Image AUROC and pixel AP."""

    image_auroc: float
    pixel_ap: float

    def loss(self, reference: "Accuracy") -> float:
        """The larger loss against a reference, as a share of what is allowed; 0 for none."""
        return max(
            (reference.image_auroc - self.image_auroc) / AUROC_LOSS,
            (reference.pixel_ap - self.pixel_ap) / AP_LOSS,
            0.0,
        )


def measure(
    masks: NDArray[np.bool_], score: NDArray[np.float32], heatmap: NDArray[np.float32]
) -> Accuracy:
    """Of P frames with anomalies where `masks` [P, H, W] say, then the same P without.

    Raises EngineError for values that are not finite.
    """
    if not (np.isfinite(score).all() and np.isfinite(heatmap).all()):
        raise EngineError(
            "the engine gives values that are not finite: build it again, or train again"
        )
    truth = np.concatenate((masks, np.zeros_like(masks)))
    return Accuracy(
        image_auroc=auroc(np.asarray(truth.any(axis=(1, 2))), score),
        pixel_ap=average_precision(truth.ravel(), heatmap.ravel()),
    )


def simulated_of(product: Product) -> Simulated:
    """What a reduced precision is proven by. Raises EngineError where the version has none."""
    simulated = read_simulated(product)
    if simulated is None:
        raise EngineError(
            f"{product.name} version {product.version} has no simulated anomalies to prove a "
            "reduced precision with, since it was imported or trained by an older program: train "
            "it again, or leave --precision out"
        )
    return simulated


def prove_accuracy(engine: Engine, product: Product) -> dict[str, float]:
    """Figures of an engine on the frames that nothing was chosen by.

    Raises EngineError where it loses more than is allowed.
    """
    simulated = simulated_of(product)
    frames, masks = simulated.proving()
    parts = [engine.infer(frame[None]) for frame in frames]
    score = np.concatenate([part.score for part in parts])
    heatmap = np.concatenate([part.heatmap for part in parts])
    found = measure(masks, score, heatmap)
    reference = Accuracy(simulated.image_auroc, simulated.pixel_ap)
    if not found.loss(reference) <= 1:
        raise EngineError(
            f"the engine finds simulated anomalies less well than the trained network: image AUROC "
            f"{found.image_auroc:.4f} instead of {reference.image_auroc:.4f} (allowed "
            f"{AUROC_LOSS} less), pixel AP {found.pixel_ap:.4f} instead of "
            f"{reference.pixel_ap:.4f} (allowed {AP_LOSS} less): build another --precision"
        )
    return {
        "image_auroc": found.image_auroc,
        "image_auroc_float32": reference.image_auroc,
        "pixel_ap": found.pixel_ap,
        "pixel_ap_float32": reference.pixel_ap,
        "simulated_score_max": float(np.abs(score - simulated.score).max()),
    }
