"""The one seam between the line and what computes: `infer(batch)`."""

import sys
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import EngineError

# None makes the import of this package fail, and OpenVINO then uses its own stand-in. With it every
# import would ask a name server for an analytics host, fork a process that reports there, and fail
# where the user has no home.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

LOAD_S, INFER_S = 300, 10
"""How long loading (the RTX flavour compiles its last step there) and one batch may take.

WatchdogSec in deploy/draem.service is longer, so that a lost engine still gets its fault event.
"""


class Inference(NamedTuple):
    """Of one batch: score [N] and heatmap [N, H, W], float32, the caller's to keep."""

    score: NDArray[np.float32]
    heatmap: NDArray[np.float32]


class Engine(AbstractContextManager["Engine"], Protocol):
    """A compiled model. Closing twice is fine, using it after is EngineError."""

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        """Judge uint8 BGR images [N, H, W, 3].

        Raises EngineError for another shape or type, EngineLost where it will never judge again or
        has not returned after INFER_S.
        """
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...


def check_batch(batch: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    """Raise EngineError for anything but uint8 images [N, *shape]."""
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != shape:
        raise EngineError(
            f"the engine takes uint8 [N, {', '.join(map(str, shape))}], "
            f"this batch is {batch.dtype} {list(batch.shape)}: fit the frames first"
        )
