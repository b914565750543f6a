"""What of the model's input lies in the camera's frame: only that is judged."""

import numpy as np
from numpy.typing import NDArray

from edge.vision.frame import Size
from edge.vision.placement import Placement
from edge.vision.polygon import outline
from edge.vision.roi import Mask, filled, pooled_maximum

ROUNDING = 1e-6


def frame_mask(placement: Placement, frame: Size) -> Mask:
    """[H, W] at the model's size: what lies in a camera's frame of this size."""
    return filled(placement.points_to_model(outline(0, 0, *frame)), placement)


def seen_mask(placement: Placement) -> Mask | None:
    """[H, W]: what of an aligned part's input lies in the camera's frame; None for all of it."""
    if placement.motion is None:
        return None
    border = placement.points_to_frame(outline(0, 0, placement.width, placement.height))
    limits = np.array(placement.motion.frame)
    if ((border >= -ROUNDING) & (border <= limits + ROUNDING)).all():
        return None
    return frame_mask(placement, placement.motion.frame)


def judged_heat(
    score: float, heatmap: NDArray[np.float32], placement: Placement, window: int
) -> tuple[float, NDArray[np.float32]]:
    """Score and heatmap [H, W] of what lies in the camera's frame, unchanged where all of it does.

    Elsewhere there is no heat, and the score is pooled again over the score's `window`.
    """
    seen = seen_mask(placement)
    if seen is None or not (np.isfinite(score) and np.isfinite(heatmap).all()):
        return score, heatmap
    inside = np.where(seen, heatmap, np.float32(0))
    return pooled_maximum(inside, window), np.asarray(inside, np.float32)
