"""How good a trained product is expected to be: simulated anomalies on good parts set aside."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.network.network import Network
from trainer.simulation.simulate import Simulation
from trainer.training.batches import generator_for, to_float, to_pool
from trainer.training.validate import AT_ONCE, infer_all

FALSE_REJECTS = 0.01
ANOMALIES = 128
MOST_GOOD = 500
SMALL = 0.005
"""Of the image's area: below it an anomaly counts as small."""
FAINT = 0.1
"""Of the range from black to white: below this mean difference it counts as faint."""


@dataclass(frozen=True)
class Expectation:
    """The share of simulated anomalies above the threshold that `good` parts give.

    That is what 1 % of them exceed, or none where they are fewer than a hundred. A share is None
    where no anomaly is of its kind.
    """

    good: int
    found: float
    small: float | None
    faint: float | None

    def __str__(self) -> str:
        kinds = (("small", self.small), ("faint", self.faint))
        shares = ", ".join(f"{name} {share:.0%}" for name, share in kinds if share is not None)
        detail = f" ({shares})" if shares else ""
        some = self.good * FALSE_REJECTS >= 1
        limit = "1 % of the" if some else "none of the"
        advice = "" if some else "; more good parts make this surer"
        return (
            f"expected: {self.found:.0%} of simulated anomalies found{detail} where {limit} "
            f"{self.good} good parts set aside for calibration are rejected{advice}"
        )


def expect(
    model: Network, good: NDArray[np.uint8], simulation: Simulation, seed: int
) -> Expectation:
    """Measure networks on good images uint8 [N, H, W, 3] that neither chose nor trained them."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    pool = to_pool(good[:MOST_GOOD], device)
    scores = torch.cat([infer_all(model, to_float(part))[1] for part in torch.split(pool, AT_ONCE)])
    threshold = float(np.quantile(scores.numpy(), 1 - FALSE_REJECTS, method="higher"))
    clean = to_float(pool[torch.arange(ANOMALIES, device=device) % len(pool)])
    made, mask = replace(simulation, good_share=0)(clean, generator_for(device, seed, "expected"))
    seen = mask.flatten(1).any(dim=1)
    clean, made, mask = clean[seen], made[seen], mask[seen]
    found = infer_all(model, made)[1] > threshold
    area = mask.flatten(1).mean(dim=1)
    difference = ((made - clean).abs().mean(dim=1) * mask).flatten(1).mean(dim=1)
    return Expectation(
        good=len(pool),
        found=float(found.float().mean()),
        small=_share(found, (area < SMALL).cpu()),
        faint=_share(found, (difference / area < FAINT).cpu()),
    )


def _share(found: Tensor, of: Tensor) -> float | None:
    return float(found[of].float().mean()) if of.any() else None
