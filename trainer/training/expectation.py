"""How good a trained product is expected to be: simulated anomalies on good parts set aside."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.network.network import Network
from trainer.simulation.simulate import Simulation
from trainer.training.batches import generator_for, to_float, to_pool
from trainer.training.validate import infer_all

FALSE_REJECTS = 0.01
ANOMALIES = 128
SMALL = 0.005
"""Of the image's area: below it an anomaly counts as small."""
FAINT = 0.1
"""Of the range from black to white: below this mean difference it counts as faint."""


@dataclass(frozen=True)
class Expectation:
    """The share of simulated anomalies found at a threshold that 1 % of `good` parts exceed.

    A share is None where no anomaly is of its kind.
    """

    good: int
    found: float
    small: float | None
    faint: float | None

    def __str__(self) -> str:
        kinds = (("small", self.small), ("faint", self.faint))
        shares = ", ".join(f"{name} {share:.0%}" for name, share in kinds if share is not None)
        return (
            f"expected: {self.found:.0%} of simulated anomalies found ({shares}) where 1 % of good "
            f"parts are rejected, by {self.good} good parts set aside"
        )


def expect(
    model: Network, good: NDArray[np.uint8], simulation: Simulation, seed: int
) -> Expectation:
    """Measure networks on the CPU on good images uint8 [N, H, W, 3] that they never saw."""
    device = torch.device("cpu")
    images = to_float(to_pool(good, device))
    scores = infer_all(model, images)[1].numpy()
    threshold = float(np.quantile(scores, 1 - FALSE_REJECTS, method="higher"))
    clean = images[torch.arange(ANOMALIES, device=device) % len(images)]
    made, mask = replace(simulation, good_share=0)(clean, generator_for(device, seed, "expected"))
    seen = mask.flatten(1).any(dim=1)
    clean, made, mask = clean[seen], made[seen], mask[seen]
    found = infer_all(model, made)[1] > threshold
    area = mask.flatten(1).mean(dim=1).cpu()
    contrast = (((made - clean).abs().mean(dim=1) * mask).flatten(1).sum(dim=1)).cpu() / (
        area * mask[0].numel()
    )
    return Expectation(
        good=len(good),
        found=float(found.float().mean()),
        small=_share(found, area < SMALL),
        faint=_share(found, contrast < FAINT),
    )


def _share(found: Tensor, of: Tensor) -> float | None:
    return float(found[of].float().mean()) if of.any() else None
