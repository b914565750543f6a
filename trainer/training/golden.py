"""Golden frames: the trained network's float32 outputs, which every engine is compared with."""

import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, nn

from trainer.network.features.memory import Memory
from trainer.network.network import Network
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import TextureSource
from trainer.training.batches import to_tensor
from trainer.training.validate import infer_all

COUNT = 8


def infer(
    model: Network, frames: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Score [N] and heatmap [N, H, W] of uint8 frames [N, H, W, 3], one at a time."""
    images = to_tensor(frames, next(model.parameters()).device)
    heatmap, score = infer_all(model.eval(), images, at_once=1)
    return score.numpy(), heatmap.numpy()


def untrained(model: Network, seed: int) -> Network:
    """The same networks with random weights: for the check that must fail."""
    other = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in other.modules():
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d | Memory):
                module.reset_parameters()
    return other.eval()


def simulated_frames(
    good: NDArray[np.uint8], textures: TextureSource, seed: int
) -> NDArray[np.uint8]:
    """Each good frame with a simulated anomaly, rounded to uint8 like a camera's."""
    images = to_tensor(good, torch.device("cpu"))
    simulation = Simulation(textures, good_share=0)
    made = simulation(images, Generator().manual_seed(seed)).images
    return (made * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def write_golden(
    model: Network, good: NDArray[np.uint8], textures: TextureSource, seed: int, path: Path
) -> None:
    """golden.npz: 8 good frames, 8 with anomalies, the outputs of the network and of another."""
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
