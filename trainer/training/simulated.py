"""simulated.npz: what engines of reduced precision are chosen and proven by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge.engine.accuracy import measure
from edge.product.simulated import pairs
from trainer.network.network import Network
from trainer.simulation.simulate import Simulation
from trainer.training.batches import generator_for, to_tensor
from trainer.training.golden import infer

MOST_PAIRS, FEWEST_PAIRS = 64, 8
MOST_BYTES = 128 << 20
"""Of the frames as they are: so that inputs larger than 512x512 get fewer pairs."""
ATTEMPTS = 4
"""An anomaly may change nothing that can be seen, and is then drawn again."""


def write_simulated(
    model: Network, good: NDArray[np.uint8], simulation: Simulation, seed: int, path: Path
) -> bool:
    """Write held-out good frames [N, H, W, 3] with and without anomalies, and float32 figures.

    Returns whether enough anomalies could be drawn; else nothing is written.
    """
    made = _anomalies(good, simulation, seed)
    if made is None:
        return False
    frames, masks = made
    shown, where = pairs(frames, masks, 1)
    score, heatmap = infer(model, shown)
    found = measure(where, score, heatmap)
    np.savez_compressed(
        path,
        frames=frames,
        masks=np.packbits(masks, axis=2),
        score=score,
        image_auroc=np.float64(found.image_auroc),
        pixel_ap=np.float64(found.pixel_ap),
    )
    return True


def _anomalies(
    good: NDArray[np.uint8], simulation: Simulation, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    """Frames [2P, H, W, 3], with anomalies and without, and masks [P, H, W]; no mask is empty."""
    count = min(max(MOST_BYTES // (2 * good[0].nbytes), FEWEST_PAIRS), MOST_PAIRS)
    clean = good[np.arange(count) * len(good) // count if len(good) > count else
                 np.arange(count) % len(good)]  # fmt: skip
    images = to_tensor(clean, torch.device("cpu"))
    draw = replace(simulation, good_share=0)
    changed, mask = images.clone(), images.new_zeros(images.shape[0], *images.shape[2:])
    for attempt in range(ATTEMPTS):
        empty = (~mask.flatten(1).any(dim=1)).nonzero()[:, 0]
        if not len(empty):
            break
        generator = generator_for(images.device, seed, f"simulated {attempt}")
        changed[empty], mask[empty] = draw(images[empty], generator)
    seen = mask.flatten(1).any(dim=1).numpy()
    if seen.sum() < FEWEST_PAIRS:
        return None
    frames = (changed * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    return np.concatenate((frames[seen], clean[seen])), mask.numpy()[seen] > 0
