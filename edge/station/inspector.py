"""From a frame to its judgement: fit, infer, judge."""

import contextlib
import logging
import math
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import EngineError, EngineLost, ProductError
from edge.engine import Engine
from edge.events.codes import Code
from edge.product.product import Product
from edge.vision.alignment import NotAligned
from edge.vision.fit import Fit, Refused, prepare
from edge.vision.frame import Frame, Size
from edge.vision.judge import Judgement, judge, measure
from edge.vision.placement import Placement
from edge.vision.turned_back import turned_back

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class JudgedFrame:
    """A judgement with its heatmap [H, W]; `placement` says where both lie in the frame.

    `fitted` is the engine's input and `engine_score` its score. None (NaN) where it did not run.
    `quality` is that of the alignment, None without one.
    """

    judgement: Judgement
    placement: Placement | None
    heatmap: NDArray[np.float32] | None
    fitted: NDArray[np.uint8] | None = None
    engine_score: float = math.nan
    quality: float | None = None

    def mask_in_frame(self) -> NDArray[np.uint8]:
        """The mask as events have it: upright in the camera's frame."""
        mask, where = self.judgement.mask, self.placement
        return mask if where is None else turned_back(mask, where)

    def heatmap_in_frame(self) -> NDArray[np.float32] | None:
        """The heatmap as viewers see it, in the same place. Takes time: only for a viewer."""
        if self.heatmap is None or self.placement is None:
            return self.heatmap
        return turned_back(self.heatmap, self.placement)


class Inspector:
    """Judges frames of one product with one engine. `lost` is set once the engine is lost."""

    def __init__(self, engine: Engine, product: Product) -> None:
        # At these sizes OpenCV's threads cost more than they gain, and compete with the engine's.
        cv2.setNumThreads(1)
        self._engine = engine
        self._fit = product.fit
        check_geometry(product)
        self._calibration = product.calibration
        self._window = product.manifest.score_window
        self.lost: EngineLost | None = None

    def inspect(self, frame: Frame, clock: "Stopwatch") -> JudgedFrame:
        """Judge a frame; a bad frame or a failing engine is NO_VERDICT, not an exception."""
        prepared = prepare(frame, self._fit)
        if isinstance(prepared, Refused):
            return self._no_verdict(prepared.code, prepared.quality)
        fitted, placement = prepared
        conditions = measure(fitted)  # while the caches hold it: the engine fills them
        clock.lap("fit")
        try:
            inference = self._engine.infer(fitted[None])
        except EngineError as error:
            log.error("frame %d: %s", frame.frame_id, error)
            self.lost = error if isinstance(error, EngineLost) else None
            return self._no_verdict(Code.ENGINE)
        clock.lap("infer")
        heatmap = inference.heatmap[0]
        score = float(inference.score[0])
        judgement = judge(score, heatmap, conditions, self._calibration, placement, self._window)
        clock.lap("judge")
        quality = placement.motion.quality if placement.motion else None
        return JudgedFrame(judgement, placement, heatmap, fitted, score, quality)

    def _no_verdict(self, code: Code, quality: float | None = None) -> JudgedFrame:
        threshold = self._calibration.whole_threshold if self._calibration else None
        empty = np.zeros((0, 0), np.uint8)
        judgement = Judgement("NO_VERDICT", code, float("nan"), threshold, [], empty)
        return JudgedFrame(judgement, None, None, quality=quality)


def check_geometry(product: Product) -> None:
    """Compute the maps of a geometry before the first frame, since that takes some time.

    With an alignment also what it searches with.

    Raises ProductError where the geometry does not fit the product.
    """
    geometry = product.fit.geometry
    if geometry is None or geometry.frame is None:
        _warm_up_search(product.fit)
        return
    width, height = geometry.frame
    try:
        product.fit(_with_reference(product.fit, (width, height)))
    except NotAligned:
        return  # a lens or a tilt shows the part otherwise than the reference
    except ValueError as error:
        raise ProductError(
            f"the geometry of {product.name} version {product.version} does not fit it: {error}: "
            "correct the geometry and calibrate again"
        ) from error


def _warm_up_search(fit: Fit) -> None:
    """Align the reference picture itself, in a frame of a size that the product may get.

    Without a crop the frames' proportions are taken to be the input's.
    """
    if fit.aligner is None:
        return
    x, y, width, height = fit.crop or (0, 0, fit.width, fit.height)
    # Regions of interest lie in the camera's frame, whose size is not known yet.
    with contextlib.suppress(ValueError):  # frames of other proportions may be usable
        replace(fit, geometry=None)(_with_reference(fit, (x + width, y + height)))


def _with_reference(fit: Fit, frame: Size) -> NDArray[np.uint8]:
    """A black frame [H, W, 3]; of an aligned product with the reference picture in its place."""
    made = np.zeros((frame[1], frame[0], 3), np.uint8)
    if fit.aligner is not None:
        x, y, width, height = fit.crop or (0, 0, *frame)
        place = made[y : y + height, x : x + width]
        if place.size:  # a crop beyond the frame is refused by the fit
            place[:] = cv2.resize(fit.aligner.reference, (place.shape[1], place.shape[0]))
    return made


class Stopwatch:
    """Milliseconds between laps on the monotonic clock."""

    def __init__(self, start_ns: int | None = None) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.monotonic_ns() if start_ns is None else start_ns

    def lap(self, name: str) -> None:
        """Record the time since the last lap under `name`."""
        reading = time.monotonic_ns()
        self.laps_ms[name] = (reading - self._last) / 1e6
        self._last = reading
