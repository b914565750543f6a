"""The report of a training: how the weights were chosen, and on which images they are weakest."""

from pathlib import Path

import torch
from torch import Tensor

from edge.base.html_page import data_uri, write_page
from trainer.data.sources import Images
from trainer.evaluation import plots
from trainer.simulation.simulate import Simulated
from trainer.training.batches import make_simulation, to_pool
from trainer.training.distributed import ProcessGroup
from trainer.training.preview import to_picture
from trainer.training.settings import TrainSettings
from trainer.training.train import TrainingOutcome
from trainer.training.validate import infer_all, validation_set

SHOWN = 6
SIDES = "image, mask of the simulated anomaly, heatmap"


def write_training_report(
    path: Path,
    settings: TrainSettings,
    images: Images,
    outcome: TrainingOutcome,
    group: ProcessGroup,
) -> None:
    """Settings, validations, and the validation set's worst misses and false alarms; one file."""
    simulation = make_simulation(settings, images, group.device)
    held_out = validation_set(to_pool(images.validation, group.device), simulation, settings.seed)
    heatmaps, scores = infer_all(outcome.model.to(group.device), held_out.images)
    held_out = Simulated(held_out.images.cpu(), held_out.mask.cpu())
    order, anomalous = scores.argsort().tolist(), held_out.mask.flatten(1).amax(1) > 0
    missed = [i for i in order if anomalous[i]][:SHOWN]
    alarms = [i for i in reversed(order) if not anomalous[i]][:SHOWN]
    write_page(
        path,
        Path(__file__).with_name("training.html"),
        settings=settings.model_dump(mode="json"),
        outcome=outcome,
        curve=plots.curve([vars(point) for point in outcome.curve]),
        groups=[
            (title, SIDES, [_row(held_out, heatmaps, scores, i) for i in chosen])
            for title, chosen in (
                ("Simulated anomalies with the lowest scores", missed),
                ("Good images with the highest scores", alarms),
            )
        ],
    )


def _row(held_out: Simulated, heatmaps: Tensor, scores: Tensor, i: int) -> dict[str, object]:
    """One image for groups.html: image, mask and heatmap side by side."""
    gray = (tensor[i][None].expand(3, -1, -1) for tensor in (held_out.mask, heatmaps))
    picture = to_picture(torch.cat((held_out.images[i], *gray), dim=2))
    return {"name": f"image {i}", "score": float(scores[i]), "uri": data_uri(picture)}
