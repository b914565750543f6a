"""The page that a training leaves behind: what chose the weights, and where they are weakest."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge.base.html_page import data_uri, write_page
from trainer.evaluation import plots
from trainer.simulation.simulate import Simulated
from trainer.training.batches import to_pool
from trainer.training.distributed import World
from trainer.training.preview import to_picture
from trainer.training.train import Images, TrainingOutcome, simulation_of
from trainer.training.train_settings import TrainSettings
from trainer.training.validate import infer_all, validation_set

SHOWN = 6


def write_training_report(
    path: Path, settings: TrainSettings, images: Images, outcome: TrainingOutcome, world: World
) -> None:
    """One file: settings, validations, and the validation set's worst misses and false alarms."""
    simulation = simulation_of(settings, images, world.device)
    held = validation_set(to_pool(images.validation, world.device), simulation, settings.seed)
    heatmaps, scores = infer_all(outcome.model.to(world.device), held.images)
    held = Simulated(held.images.cpu(), held.mask.cpu())
    anomalous = held.mask.flatten(1).amax(1) > 0
    order = scores.argsort()
    missed = [i for i in order.tolist() if anomalous[i]][:SHOWN]
    alarms = [i for i in order.flip(0).tolist() if not anomalous[i]][:SHOWN]
    write_page(
        path,
        Path(__file__).with_name("training.html"),
        settings=settings.model_dump(mode="json"),
        outcome=outcome,
        curve=plots.curve([point.__dict__ for point in outcome.curve]),
        groups=[
            ("Simulated anomalies with the lowest scores", _rows(held, heatmaps, scores, missed)),
            ("Good images with the highest scores", _rows(held, heatmaps, scores, alarms)),
        ],
    )


def _rows(
    held: Simulated, heatmaps: Tensor, scores: Tensor, chosen: list[int]
) -> list[tuple[float, str]]:
    """Score and picture (image, mask, heatmap side by side) of the chosen ones."""
    made = []
    for i in chosen:
        gray = [tensor[i][None].expand(3, -1, -1) for tensor in (held.mask, heatmaps)]
        whole = to_picture(torch.cat((held.images[i], *gray), dim=2))
        made.append((float(scores[i]), data_uri(np.asarray(whole, np.uint8))))
    return made
