"""How good a trained product is expected to be: simulated anomalies on good parts set aside."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge.engine.tiled import Tiled
from edge.vision.tiles import Tile, TilePlan
from trainer.data.pictures import Pictures
from trainer.network.network import Network
from trainer.simulation.simulate import Simulation
from trainer.training.batches import generator_for, to_float, to_pool
from trainer.training.crops import fixed_crops
from trainer.training.torch_engine import TorchEngine
from trainer.training.validate import AT_ONCE, infer_all

FALSE_REJECTS = 0.01
ANOMALIES = 128
MOST_GOOD = 500
FEWEST_GOOD, MOST_TILES = 5, 2000
"""Of the good pictures that are judged in tiles."""
SMALL = 0.005
"""Of the area of the network's input: below it an anomaly counts as small."""
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
    pool = to_pool(good[:MOST_GOOD], _device(model))
    scores = torch.cat([infer_all(model, to_float(part))[1] for part in torch.split(pool, AT_ONCE)])
    clean = to_float(pool[torch.arange(ANOMALIES, device=pool.device) % len(pool)])
    return _found(model, scores.numpy(), clean, simulation, seed)


def expect_in_tiles(
    model: Network, good: Pictures, tile: Tile, simulation: Simulation, seed: int
) -> Expectation:
    """The same of networks that judge good pictures in tiles: anomalies are drawn on crops.

    Of many large pictures some are judged, as many as some thousand tiles.
    """
    plan = TilePlan(*good.height_width, tile)
    engine = Tiled(TorchEngine(model), plan, model.spec.window, limit_s=math.inf)
    count = min(len(good), MOST_GOOD, max(FEWEST_GOOD, MOST_TILES // len(plan.places)))
    scores = [engine.infer(good[i][None]).score[0] for i in range(count)]
    generator = generator_for(torch.device("cpu"), seed, "expected crops")
    crops = fixed_crops(good, tile.height, tile.width, ANOMALIES, generator)
    clean = to_float(to_pool(crops, _device(model)))
    return _found(model, np.array(scores), clean, simulation, seed)


def _found(
    model: Network, scores: NDArray[np.float32], clean: Tensor, simulation: Simulation, seed: int
) -> Expectation:
    """What is found of anomalies on `clean` images where 1 % of `scores` are rejected."""
    threshold = float(np.quantile(scores, 1 - FALSE_REJECTS, method="higher"))
    generator = generator_for(clean.device, seed, "expected")
    made, mask = replace(simulation, good_share=0)(clean, generator)
    seen = mask.flatten(1).any(dim=1)
    clean, made, mask = clean[seen], made[seen], mask[seen]
    found = infer_all(model, made)[1] > threshold
    area = mask.flatten(1).mean(dim=1)
    difference = ((made - clean).abs().mean(dim=1) * mask).flatten(1).mean(dim=1)
    return Expectation(
        good=len(scores),
        found=float(found.float().mean()),
        small=_share(found, (area < SMALL).cpu()),
        faint=_share(found, (difference / area < FAINT).cpu()),
    )


def _device(model: Network) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _share(found: Tensor, of: Tensor) -> float | None:
    return float(found[of].float().mean()) if of.any() else None
