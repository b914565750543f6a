"""What a network is made from: enough to make it again without its weights."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["features", "pixels"]


@dataclass(frozen=True)
class NetworkSpec:
    """Which of the two networks, its widths (reconstructive, discriminative), and the side of the
    square of pixels that the score averages the heatmap over.

    `backbone` is the frozen encoder of the features network, None for pixels; `memory` the number
    of typical features that it remembers of good parts, 0 for none.
    """

    kind: Kind
    rec_width: int
    seg_width: int
    window: int
    backbone: str | None = None
    memory: int = 0
