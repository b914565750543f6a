"""Proof before service: a compiled engine against the trained network's float32 outputs."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.engine import Engine
from edge.errors import EngineError

SCORE_TOLERANCE = 0.01
MAP_TOLERANCE = 0.02
"""A float16 body rounds each activation to 11 bits; a softmax turns that into some 1e-3 of heat.

Ten times that is allowed for the 99.9th percentile of the map's error, since single pixels at a
sharp edge may differ more; the maximum is reported, not judged. An engine of another network, of
swapped channels or of another window misses by far more, which the negative shows on every build.
"""


@dataclass(frozen=True)
class Difference:
    """How far an engine's outputs lie from a reference's."""

    score_max: float
    map_p999: float
    map_max: float

    @property
    def passes(self) -> bool:
        """Whether both lie within the tolerances; never for a NaN."""
        return self.score_max <= SCORE_TOLERANCE and self.map_p999 <= MAP_TOLERANCE


def compare(
    score: NDArray[np.float32],
    heatmap: NDArray[np.float32],
    reference_score: NDArray[np.float32],
    reference_heatmap: NDArray[np.float32],
) -> Difference:
    """Largest error of the score; 99.9th percentile and maximum of the map's."""
    error = np.abs(heatmap - reference_heatmap)
    return Difference(
        score_max=float(np.abs(score - reference_score).max()),
        map_p999=float(np.quantile(error, 0.999)),
        map_max=float(error.max()),
    )


def prove(engine: Engine, golden: Path) -> dict[str, float]:
    """Run the golden frames of a product through an engine; the figures of the proof.

    Raises EngineError where the engine misses the trained network, or where the check could not
    have told it from another one.
    """
    with np.load(golden, allow_pickle=False) as stored:
        frames = stored["frames"]
        score, heatmap = engine.infer(frames)
        found = compare(score, heatmap, stored["score"], stored["heatmap"])
        negative = compare(score, heatmap, stored["negative_score"], stored["negative_heatmap"])
    if not found.passes:
        raise EngineError(
            f"the engine misses the trained network: score by {found.score_max:.4f} (allowed "
            f"{SCORE_TOLERANCE}), 99.9 % of the map by {found.map_p999:.4f} (allowed "
            f"{MAP_TOLERANCE}); build it again, and report it if that does not help"
        )
    if negative.passes:
        raise EngineError(
            "the golden frames cannot tell the trained network from an untrained one: train longer"
        )
    figures = {f"negative_{name}": value for name, value in asdict(negative).items()}
    return {**asdict(found), **figures}
