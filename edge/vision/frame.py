"""A frame of the camera, with all that is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.events.codes import Code

Size = tuple[int, int]
"""Width and height of a camera's frame in pixels."""
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image as the camera gave it: HWC BGR or HW gray, uint8.

    `captured_ns` is the monotonic clock at capture, carried unchanged. `trigger_id` is None on a
    free-running camera; `encoder` and `part_id` come from the line where it gives them. Where
    `code` is not NONE the camera failed to take this image, and `image` may be empty.
    `camera_ns` is the camera's own clock, `chunks` its other metadata of the frame.
    """

    image: NDArray[np.uint8]
    frame_id: int
    captured_ns: int
    trigger_id: int | None = None
    encoder: int | None = None
    part_id: str | None = None
    code: Code = Code.NONE
    camera_ns: int | None = None
    chunks: Mapping[str, int | float] = field(default_factory=dict)
