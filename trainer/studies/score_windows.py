"""How wide the score's window should be: `python -m trainer.studies.score_windows PRODUCT...`.

Products of './just study' and './just targets' judge the good images that their training never saw,
as they are and with simulated anomalies, of the kinds that they learned and of the paper's; printed
is the image AUROC of each window. No image of a defect plays a part.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from edge.product.product import load_product
from trainer.data.sources import load_sources
from trainer.network.model import Draem, pooled_maximum
from trainer.simulation.simulate import Simulation, mixed
from trainer.simulation.textures import procedural
from trainer.studies.results_file import WORK
from trainer.training.batches import generator_for, to_pool
from trainer.training.save_product import load_weights
from trainer.training.validate import infer_all

WINDOWS = (1, 3, 5, 7, 11, 15, 21)
MOST, DRAWS = 128, 2


def main(products: list[str]) -> int:
    print("product, anomalies:", *WINDOWS)
    for name in products:
        for kind, rates in aurocs(name):
            print(f"{name}, {kind}:", *(f"{rate:.3f}" for rate in rates), flush=True)
    return 0


def aurocs(name: str) -> Iterator[tuple[str, list[float]]]:
    """For each kind of anomaly the image AUROC of each window."""
    product = load_product(WORK / "products", name)
    model, origin = load_weights(product, WORK / "runs"), product.manifest.origin
    sources = load_sources(Path(str(origin["images"])), product.fit, int(str(origin["seed"])))
    unseen = np.concatenate([sources.part("validation"), sources.part("calibration")])[:MOST]
    good = to_pool(unseen, torch.device("cpu")).float().div_(255)
    gray = bool((good[:, :1] == good).all())
    kinds = {"mixture": mixed(procedural, gray=gray, good_share=0),
             "textures": Simulation(procedural, gray=gray, good_share=0)}  # fmt: skip
    cool = infer_all(model, good)[0]
    for kind, simulation in kinds.items():
        hot = torch.cat([heat_of_anomalies(model, good, simulation, i) for i in range(DRAWS)])
        truth = np.repeat([0, 1], [len(cool), len(hot)])
        scores = (pooled_maximum(torch.cat([cool, hot]), window) for window in WINDOWS)
        yield kind, [float(roc_auc_score(truth, score.numpy())) for score in scores]


def heat_of_anomalies(model: Draem, good: Tensor, simulation: Simulation, step: int) -> Tensor:
    """Heatmaps of good images with anomalies, but for those in which nothing has changed."""
    made = simulation(good, generator_for(good.device, "windows", step=step))
    return infer_all(model, made.images[made.mask.flatten(1).amax(1) > 0])[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
