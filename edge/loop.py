"""The line: frames in, verdicts out. This is the page to read first."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Event as StopEvent

from edge.camera import Camera
from edge.capture import Ended, Slot, Taken, capturing
from edge.engine import Engine
from edge.errors import CameraError
from edge.event import Code, encode_mask
from edge.inspector import Inspector, Stopwatch
from edge.product import Product
from edge.stream import Stream

POLL_MS = 50
DRAIN_S = 0.5


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
    stream: Stream,
    stop: StopEvent,
    pace: Pace,
) -> Counter[str]:
    """Judge every frame and tell its event, until `stop` or the camera's end.

    Returns how often each verdict was given. An error that ends the camera ends the line: a
    fault event tells it, then it is raised. The last event is always the status `stopped`.
    """
    verdicts: Counter[str] = Counter()
    inspect = Inspector(engine, product)
    stream.running(product)
    try:
        with capturing(camera, stop, pace.backlog if pace.triggered else 0) as slot:
            silence_ms = math.inf if pace.triggered or not camera.live else pace.deadline_ms
            for taken in _frames(slot, stop, silence_ms):
                if taken is None:
                    text = f"no frame for {pace.deadline_ms} ms: check the camera and its cable"
                    stream.fault(Code.FRAME_TIMEOUT, text)
                    continue
                clock = Stopwatch(taken.frame.captured_ns)
                clock.lap("wait")
                judged = inspect(taken.frame, clock)
                mask = encode_mask(judged.judgement.mask) if judged.placement else b""
                clock.lap("encode")
                stream.inspection(taken, judged, product, clock.laps_ms, mask)
                verdicts[judged.judgement.verdict] += 1
    except Exception as error:
        code = Code.CAMERA if isinstance(error, CameraError) else Code.INTERNAL
        text = f"the line has ended: {error or type(error).__name__}"
        stream.fault(code, text)
        raise
    finally:
        stream.stopped(product)
    return verdicts


def _frames(slot: Slot, stop: StopEvent, deadline_ms: float) -> Iterator[Taken | None]:
    """What the camera took, in order; None for each deadline that passed without a frame.

    What still waits or comes in after `stop` is given without its picture: each trigger ends in an
    event, and stopping takes no longer for a long backlog.
    """
    last = time.monotonic()
    try:
        while not stop.is_set():
            taken = slot.take(POLL_MS)
            if taken or (time.monotonic() - last) * 1000 > deadline_ms:
                yield taken
                last = time.monotonic()
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            if taken := slot.take(POLL_MS):
                code = taken.frame.code or Code.STOPPED  # an overrun stays one
                yield Taken(replace(taken.frame, code=code), taken.passed_over)
    except Ended:
        return
