"""A frame of the camera, and the one function that prepares it for the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.event import Code

Interpolation = Literal["area", "linear"]
Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

_METHODS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture as the camera gave it: HWC BGR or HW gray, uint8.

    `captured_ns` is the monotonic clock at capture and travels unchanged. `trigger_id` is None on a
    free-running camera; `encoder` and `part_id` come from the line where it gives them. Where
    `code` is not NONE the camera failed to take this picture, and `image` may be empty.
    `camera_ns` is the camera's own clock, and `chunks` what else it said of the frame.
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


@dataclass(frozen=True)
class Placement:
    """Where the model's input lies in the camera's frame: `crop` was resized to height x width."""

    crop: Box
    height: int
    width: int

    def to_frame(self, box: Box) -> Box:
        """A box of the model's map in pixels of the camera frame, at least one pixel large."""
        x, y, width, height = box
        scale_x, scale_y = self.crop[2] / self.width, self.crop[3] / self.height
        left, top = round(x * scale_x), round(y * scale_y)
        right, bottom = round((x + width) * scale_x), round((y + height) * scale_y)
        return (
            self.crop[0] + left,
            self.crop[1] + top,
            max(1, right - left),
            max(1, bottom - top),
        )


@dataclass(frozen=True)
class Fit:
    """How a product's frames become the model's input; training and serving use the same.

    `crop` (x, y, width, height in frame pixels) is None for the whole frame.
    """

    height: int
    width: int
    interpolation: Interpolation = "area"
    crop: Box | None = None

    def __call__(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Placement]:
        """HWC BGR uint8 of height x width, and its placement. Gray is replicated.

        Raises ValueError where the crop lies outside the image.
        """
        rows, columns = image.shape[:2]
        x, y, width, height = self.crop or (0, 0, columns, rows)
        if x + width > columns or y + height > rows:
            raise ValueError(
                f"the frame is {columns}x{rows}, but the product's crop "
                f"{x},{y},{width},{height} reaches beyond it"
            )
        part = image[y : y + height, x : x + width]
        fitted = cv2.resize(part, (self.width, self.height), interpolation=self._method(part))
        if fitted.ndim == 2:
            fitted = cv2.cvtColor(fitted, cv2.COLOR_GRAY2BGR)
        placement = Placement((x, y, width, height), self.height, self.width)
        return np.ascontiguousarray(fitted, np.uint8), placement

    def _method(self, part: NDArray[np.uint8]) -> int:
        """Averaging has no meaning where an image grows: there OpenCV would take the nearest."""
        grows = part.shape[0] < self.height or part.shape[1] < self.width
        return cv2.INTER_LINEAR if grows else _METHODS[self.interpolation]
