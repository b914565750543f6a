"""The one seam between the line and what computes: `infer(batch)`."""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Inspection(NamedTuple):
    """Of one batch: score [N] and heatmap [N, H, W], float32, the caller's to keep."""

    score: NDArray[np.float32]
    heatmap: NDArray[np.float32]


class Engine(AbstractContextManager["Engine"], Protocol):
    """A compiled model for one thread. Closing twice is fine, using it after is EngineError."""

    def infer(self, batch: NDArray[np.uint8]) -> Inspection:
        """Judge uint8 BGR images [N, H, W, 3]. Raises EngineError for another shape or type."""
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...
