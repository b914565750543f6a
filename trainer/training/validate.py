"""How good the networks are so far: simulated anomalies over held-out good images."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor, nn

from trainer.network.model import Draem, heatmap_and_score
from trainer.simulation.simulate import Simulated, Simulation
from trainer.training.batches import Batches, generator_for
from trainer.training.checkpoint import TrainingError

FEWEST_PAIRS, MOST_PAIRS = 32, 64
STATISTICS_BATCHES = 40
AT_ONCE = 8


@dataclass(frozen=True)
class Point:
    """One validation: image AUROC and pixel AP after so many steps, at the network's own size."""

    step: int
    image_auroc: float
    pixel_ap: float


def validation_set(images: Tensor, simulation: Simulation, seed: int) -> Simulated:
    """The held-out images (`to_pool`), each with an anomaly and as it is: the same at every call.

    In pairs: where good parts differ, an image AUROC between different images tells of the images.
    Few images come several times, each time with another anomaly.
    """
    pairs = min(max(len(images), FEWEST_PAIRS), MOST_PAIRS)
    spread = torch.arange(pairs, device=images.device) * max(len(images), pairs) // pairs
    good = images[spread % len(images)].float().div_(255)
    made = replace(simulation, good_share=0)(good, generator_for(good.device, seed, "validation"))
    return Simulated(
        torch.cat([made.images, good]), torch.cat([made.mask, torch.zeros_like(made.mask)])
    )


def validate(model: Draem, held: Simulated, step: int) -> Point:
    """Judge the validation set with networks in eval. Raises TrainingError for a NaN."""
    heatmaps, scores = infer_all(model, held.images)
    if not torch.isfinite(scores).all():
        raise TrainingError(
            f"the weights stopped being numbers before step {step}: lower --learning-rate"
        )
    anomalous = held.mask.flatten(1).amax(1).cpu().numpy() > 0
    truth = held.mask.cpu().numpy().ravel() > 0
    return Point(
        step=step,
        image_auroc=float(roc_auc_score(anomalous, scores.numpy())),
        pixel_ap=float(average_precision_score(truth, heatmaps.numpy().ravel())),
    )


def infer_all(model: Draem, images: Tensor) -> tuple[Tensor, Tensor]:
    """Heatmaps [N, H, W] and scores [N] on the CPU, some images at a time."""
    heatmaps, scores = [], []
    with torch.inference_mode():
        for part in torch.split(images, AT_ONCE):
            heatmap, score = heatmap_and_score(model(part).logits, model.window)
            heatmaps.append(heatmap.cpu())
            scores.append(score.cpu())
    return torch.cat(heatmaps), torch.cat(scores)


def recompute_statistics(model: nn.Module, draw: Callable[[int], Tensor]) -> None:
    """BatchNorm's means and variances for averaged weights, over fresh batches; then eval.

    The running ones belong to weights that are gone.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    model.train()
    with torch.no_grad():
        for step in range(STATISTICS_BATCHES):
            model(draw(step))
    model.eval()


def statistics_batches(batches: Batches) -> Callable[[int], Tensor]:
    """Batches as the training has them, of a stream of their own: the same at every validation."""
    own = Batches(
        batches.images,
        batches.simulation,
        batches.batch,
        batches.seed,
        batches.variation,
        stream="statistics",
    )
    return lambda step: own(step).simulated.images
