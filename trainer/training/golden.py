"""Golden frames: what the trained network says in float32, for every engine to be held to."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from trainer.network.model import Draem, heatmap_and_score
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import TextureSource
from trainer.training.batches import to_tensor

COUNT = 8


def infer(
    model: Draem, frames: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Score [N] and heatmap [N, H, W] of uint8 frames [N, H, W, 3], float32, one at a time."""
    model.eval()
    device, results = next(model.parameters()).device, []
    with torch.inference_mode():
        for frame in frames:
            output = model(to_tensor(frame[None], device))
            results.append(heatmap_and_score(output.logits, model.window))
    heatmap = torch.cat([r[0] for r in results]).cpu().numpy()
    score = torch.cat([r[1] for r in results]).cpu().numpy()
    return score, heatmap


def untrained(model: Draem, seed: int) -> Draem:
    """Networks of the same widths from another initialisation: for the check that must fail."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Draem(*model.widths, model.window).eval()


def simulated_frames(
    good: NDArray[np.uint8], textures: TextureSource, seed: int
) -> NDArray[np.uint8]:
    """Each good frame with a simulated anomaly, rounded to uint8 as a camera would."""
    images = to_tensor(good, torch.device("cpu"))
    simulation = Simulation(textures, good_share=0)
    made = simulation(images, Generator().manual_seed(seed)).images
    return (made * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def write_golden(
    model: Draem, good: NDArray[np.uint8], textures: TextureSource, seed: int, path: Path
) -> None:
    """golden.npz: 8 good and 8 simulated-anomaly frames, the network's outputs and a negative's."""
    chosen = good[np.arange(COUNT) % len(good)]
    frames = np.concatenate([chosen, simulated_frames(chosen, textures, seed)])
    score, heatmap = infer(model, frames)
    negative_score, negative_heatmap = infer(untrained(model, seed + 1), frames)
    np.savez_compressed(
        path,
        frames=frames,
        score=score,
        heatmap=heatmap,
        negative_score=negative_score,
        negative_heatmap=negative_heatmap,
    )
