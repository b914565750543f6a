"""How good the networks are so far: simulated anomalies on held-out good images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor, nn

from trainer.network.network import Network
from trainer.simulation.simulate import Simulated, Simulation
from trainer.training.batches import Batches, generator_for, to_float
from trainer.training.checkpoint import TrainingError

MIN_PAIRS, MAX_PAIRS = 32, 64
STATISTICS_IMAGES = 160
AT_ONCE = 8
FRESH = 3
"""Fresh anomalies for each image."""


@dataclass(frozen=True)
class Point:
    """One validation: image AUROC and pixel AP after so many steps, at the network's own size."""

    step: int
    image_auroc: float
    pixel_ap: float


def best_of(curve: list[Point]) -> Point:
    """The highest pixel AP, which false spots on good images lower too; of equals the latest."""
    return max(curve, key=lambda point: (point.pixel_ap, point.step))


def validation_set(images: Tensor, simulation: Simulation, seed: int) -> Simulated:
    """Each held-out image (`to_pool`) with an anomaly and without: the same at every call.

    In pairs, because an AUROC between different images would depend on how good parts differ.
    Few images are repeated, each time with another anomaly.
    """
    pairs = min(max(len(images), MIN_PAIRS), MAX_PAIRS)
    spread = torch.arange(pairs, device=images.device) * max(len(images), pairs) // pairs
    good = to_float(images[spread % len(images)])
    made = replace(simulation, good_share=0)(good, generator_for(good.device, seed, "validation"))
    return Simulated(
        torch.cat([made.images, good]), torch.cat([made.mask, torch.zeros_like(made.mask)])
    )


def fresh_anomalies(good: Sequence[Tensor], simulation: Simulation, seed: int) -> Iterator[Tensor]:
    """Batches of good images several times over, with other anomalies than the weights were chosen
    by.
    """
    everywhere = replace(simulation, good_share=0)
    for step in range(FRESH * len(good)):
        images = good[step % len(good)]
        yield everywhere(images, generator_for(images.device, seed, "fresh", step=step)).images


def validate(model: Network, held_out: Simulated, step: int) -> Point:
    """Measure networks in eval mode on the validation set. Raises TrainingError for a NaN."""
    heatmaps, scores = infer_all(model, held_out.images)
    if not torch.isfinite(scores).all():
        raise TrainingError(
            f"the weights are no longer finite before step {step}: lower --learning-rate"
        )
    anomalous = held_out.mask.flatten(1).amax(1).cpu().numpy() > 0
    truth = held_out.mask.cpu().numpy().ravel() > 0
    return Point(
        step=step,
        image_auroc=float(roc_auc_score(anomalous, scores.numpy())),
        pixel_ap=float(average_precision_score(truth, heatmaps.numpy().ravel())),
    )


def infer_all(model: Network, images: Tensor, at_once: int = AT_ONCE) -> tuple[Tensor, Tensor]:
    """Heatmaps [N, H, W] and scores [N] on the CPU of images [N, 3, H, W] in 0..1."""
    with torch.inference_mode():
        heatmaps = [model.heatmap(part) for part in torch.split(images, at_once)]
        scores = [model.score(heatmap) for heatmap in heatmaps]
    return torch.cat(heatmaps).cpu(), torch.cat(scores).cpu()


def recompute_statistics(model: Network, batches: Batches) -> None:
    """BatchNorm's means and variances for averaged weights, over fresh batches; then eval mode.

    The running ones belong to earlier weights. The batches are the same at every validation.
    """
    batches = replace(batches, stream="statistics", rank=0, processes=1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean over all batches
    model.train()
    with torch.no_grad():
        for step in range(-(-STATISTICS_IMAGES // batches.batch)):
            model.heatmap(batches(step).simulated.images)
    model.eval()
