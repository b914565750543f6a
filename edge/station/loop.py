"""The line: frames in, verdicts out. This is the page to read first."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from threading import Event as StopEvent
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.base.errors import CameraError, EngineError
from edge.camera import Camera, CameraNotice, ReportsOutages
from edge.camera.capture import CapturedFrame, CaptureEnded, FrameQueue, capturing
from edge.engine import Engine
from edge.events.event import Code, Inspection, encode_mask
from edge.product.product import Product
from edge.station.changeover import Running
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from edge.station.inspector import Stopwatch

POLL_MS = 50
FILE_MS = 10_000
CODES = {CameraError: Code.CAMERA, EngineError: Code.ENGINE}
DRAIN_S = 0.5

Show = Callable[[Inspection, NDArray[np.uint8], NDArray[np.float32] | None], None]
"""(header, frame, heatmap) -> None; must not wait."""


@dataclass(frozen=True)
class Pace:
    """Who decides when a picture is taken, how long a silence may last, how many frames may wait.

    `deadline_ms` holds for a free-running camera; between triggers silence is normal. `backlog`
    holds for a triggered one; a free-running one never waits for an old frame.
    """

    triggered: bool
    deadline_ms: int
    backlog: int = 1


def run(
    camera: Camera,
    engine: Engine,
    product: Product,
    stream: EventWriter,
    stop: StopEvent,
    pace: Pace,
    controls: Controls | None = None,
    show: Show | None = None,
) -> Counter[str]:
    """Judge every frame and tell its event, until `stop` or the camera's end.

    Returns how often each verdict was given. `controls` pause it, give it another product between
    two frames, and learn how it is; `show` gets each frame that was told. An error that ends the
    camera ends the line, and so does an engine that is lost: a fault event tells it, then it is
    raised. The last event is always the status `stopped`.
    """
    controls = controls or Controls(product)
    _, _, inspect, drift = Running.of(product, engine)
    controls.camera = camera.counters if isinstance(camera, ReportsOutages) else {}
    stream.status("running", product)
    try:
        with capturing(camera, stop, pace.backlog if pace.triggered else 0) as slot:
            silence_ms = _longest_silence_ms(camera, pace)
            for turn in _turns(slot, stop, silence_ms):
                stream.tick(product, controls)
                if change := controls.take():
                    product, _, inspect, drift = change
                    stream.status("running", product)
                if turn == "silent":
                    text = f"no frame for {silence_ms} ms: check the camera and its cable"
                    stream.fault(Code.FRAME_TIMEOUT, text)
                if isinstance(turn, CameraNotice):
                    stream.camera(turn)
                if isinstance(turn, str | CameraNotice):
                    continue
                controls.see(turn.frame)
                taken = _refused(turn, Code.PAUSED) if controls.paused else turn
                clock = Stopwatch(taken.frame.captured_ns)
                clock.lap("wait")
                judged = inspect(taken.frame, clock)
                mask = encode_mask(judged.judgement.mask) if judged.placement else b""
                clock.lap("encode")
                told = stream.inspection(taken, judged, product, clock.laps_ms, mask)
                controls.count(told)
                if show is not None:
                    show(told, taken.frame.image, judged.heatmap)
                if drift.see(judged, taken.frame.trigger_id is not None):
                    stream.drift(drift.now, product)
                    controls.drift = drift.now.code.name.lower() if drift.now else ""
                if inspect.lost:
                    raise inspect.lost
    except Exception as error:
        code = next((c for kind, c in CODES.items() if isinstance(error, kind)), Code.INTERNAL)
        text = f"the line has ended: {error or type(error).__name__}"
        stream.fault(code, text)
        raise
    finally:
        stream.status("stopped", product)
    return controls.verdicts


def _longest_silence_ms(camera: Camera, pace: Pace) -> float:
    """After which a fault is told here; most cameras tell it themselves, and files are slow."""
    if isinstance(camera, ReportsOutages) or (camera.live and pace.triggered):
        return math.inf
    return pace.deadline_ms if camera.live else max(pace.deadline_ms, FILE_MS)


def _turns(
    slot: FrameQueue, stop: StopEvent, deadline_ms: float
) -> Iterator[CapturedFrame | CameraNotice | Literal["waiting", "silent"]]:
    """What the camera took, in order; `waiting` at least every 50 ms, `silent` past the deadline.

    What still waits or comes in after `stop` is given without its picture: each trigger ends in an
    event, and stopping takes no longer for a long backlog.
    """
    last = time.monotonic()
    try:
        while not stop.is_set():
            if trouble := slot.trouble():
                yield trouble
            taken = slot.take(POLL_MS)
            silent = taken is None and (time.monotonic() - last) * 1000 > deadline_ms
            yield taken or ("silent" if silent else "waiting")
            if taken or silent:
                last = time.monotonic()
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            if taken := slot.take(POLL_MS):
                yield _refused(taken, Code.STOPPED)
    except CaptureEnded:
        return


def _refused(taken: CapturedFrame, code: Code) -> CapturedFrame:
    """Without its picture being judged; what had no picture before keeps its own reason."""
    return CapturedFrame(replace(taken.frame, code=taken.frame.code or code), taken.passed_over)
