"""The smallest station: real log, sockets and loop around an engine that computes the mean."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.base.closeable import Closeable
from edge.camera.capture import CapturedFrame
from edge.engine import Inference as Inferred
from edge.events.encoding import encode_mask
from edge.events.event import Inspection
from edge.product.manifest import Manifest
from edge.product.product import Product
from edge.station.event_writer import EventWriter
from edge.station.inspector import Inspector, Stopwatch
from edge.vision.calibration import Calibration, Range
from edge.vision.frame import Frame

SIZE = 32
WIDE = Range(low=0, high=1e9)
PRODUCT = Product(
    Path("unused"),
    Manifest(
        name="lid", version="1", created="", height=SIZE, width=SIZE, interpolation="area",
        crop=None, network="pixels", backbone=None,
        rec_width=1, seg_width=1, score_window=1, origin={}, files={},
    ),
    Calibration(
        threshold=0.5, pixel_threshold=0.5, min_area=1, brightness=WIDE, contrast=WIDE,
        sharpness=WIDE, false_reject_rate=0.01, scores=[], frames={}, created="",
    ),
)  # fmt: skip


def calibrated_for(**limits: object) -> Product:
    """The product with other limits in its calibration."""
    assert PRODUCT.calibration is not None
    return replace(PRODUCT, calibration=PRODUCT.calibration.model_copy(update=limits))


class FakeCamera(Closeable):
    """A camera without a description."""

    def about(self) -> dict[str, str | float]:
        return {}


class MeanEngine(Closeable):
    """Scores a frame by its mean gray level: 255 is 1."""

    def infer(self, batch: NDArray[np.uint8]) -> Inferred:
        score = batch.mean(axis=(1, 2, 3), dtype=np.float32) / np.float32(255)
        return Inferred(score, np.broadcast_to(score[:, None, None], batch.shape[:3]).copy())


def frame(trigger_id: int, gray: int = 0) -> Frame:
    """A frame of one gray level; from 128 on it is NG."""
    image = np.full((SIZE, SIZE, 3), gray, np.uint8)
    return Frame(image, trigger_id, 0, trigger_id)


def inspect(stream: EventWriter, trigger_id: int, gray: int = 0) -> Inspection:
    """One part through inspector and stream, as the loop does it."""
    taken, clock = CapturedFrame(frame(trigger_id, gray), 0), Stopwatch()
    judged = Inspector(MeanEngine(), PRODUCT).inspect(taken.frame, clock)
    mask = encode_mask(judged.judgement.mask)
    return stream.inspection(taken, judged, clock.laps_ms, mask)
