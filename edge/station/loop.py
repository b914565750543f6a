"""The inspection loop: frames in, events out. This is the file to read first."""

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
from edge.base.service import Watchdog, notify
from edge.camera import Camera, CameraNotice, ReportsOutages
from edge.camera.capture import CapturedFrame, CaptureEnded, FrameQueue, capturing
from edge.engine import Engine
from edge.events.codes import Code
from edge.events.encoding import encode_mask
from edge.events.event import Inspection
from edge.station.active_product import ActiveProduct
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from edge.station.inspector import Stopwatch
from edge.station.live_view import Heat

POLL_MS = 50
FILE_MS = 10_000
CODES = {CameraError: Code.CAMERA, EngineError: Code.ENGINE}
DRAIN_S = 0.5
SILENT = "no frame for {} ms: check the camera and its cable"

Show = Callable[[Inspection, NDArray[np.uint8], Heat], None]
"""(header, frame, what gives its heatmap) -> None; must not wait."""


@dataclass(frozen=True)
class Pace:
    """How frames come: triggered or free-running, the read deadline, how many frames may wait.

    `deadline_ms` is for a free-running camera, since between triggers silence is normal. `backlog`
    is for a triggered one, since a free-running one never waits for an old frame.
    """

    triggered: bool
    deadline_ms: int
    backlog: int = 1


def run(
    camera: Camera,
    engine: Engine,
    writer: EventWriter,
    stop: StopEvent,
    pace: Pace,
    controls: Controls | None = None,
    show: Show | None = None,
) -> Counter[str]:
    """Inspect every frame and write its event, until `stop` or the end of the camera's frames.

    Returns the number of each verdict. The product is that of `writer`. `controls` can pause the
    loop and change the product between two frames; `show` gets each frame after its event. Every
    error becomes a fault event before it is raised. The last event is the status `stopped`.
    """
    controls = controls or Controls(writer.product)
    controls.camera = camera.counters if isinstance(camera, ReportsOutages) else {}
    active = ActiveProduct.of(writer.product, engine)
    writer.status("running")
    watchdog = Watchdog()
    try:
        with capturing(camera, stop, pace.backlog if pace.triggered else 0) as queue:
            silence_ms = _longest_silence_ms(camera, pace)
            notify(f"READY=1\nSTATUS={_status(active)}")
            for item in _items(queue, stop, silence_ms):
                watchdog.feed()
                writer.tick(controls)
                if changed := controls.take():
                    active = changed
                    writer.change_product(active.product, active.request)
                    notify(f"STATUS={_status(active)}")
                if isinstance(item, CapturedFrame):
                    _inspect(item, active, writer, controls, show)
                elif isinstance(item, CameraNotice):
                    writer.camera(item)
                elif item == "silent":
                    writer.fault(Code.FRAME_TIMEOUT, SILENT.format(silence_ms))
    except Exception as error:
        code = next((c for kind, c in CODES.items() if isinstance(error, kind)), Code.INTERNAL)
        writer.fault(code, f"the line has ended: {error or type(error).__name__}")
        raise
    finally:
        notify("STOPPING=1")
        writer.pauses(controls)
        writer.status("stopped")
    return controls.verdicts


def _status(active: ActiveProduct) -> str:
    return f"inspecting with {active.product.name} version {active.product.version}"


def _inspect(
    captured: CapturedFrame,
    active: ActiveProduct,
    writer: EventWriter,
    controls: Controls,
    show: Show | None,
) -> None:
    """One frame: judge it, write its event, show it. Raises EngineLost."""
    controls.note_frame_size(captured.frame)
    if controls.paused:
        captured = _without_picture(captured, Code.PAUSED)
    clock = Stopwatch(captured.frame.captured_ns)
    clock.lap("wait")
    judged = active.inspector.inspect(captured.frame, clock)
    mask = encode_mask(judged.mask_in_frame()) if judged.placement else b""
    clock.lap("encode")
    header = writer.inspection(captured, judged, clock.laps_ms, mask)
    controls.count(header)
    if show is not None:
        show(header, captured.frame.image, judged.heatmap_in_frame)
    if active.drift.add(judged, captured.frame.trigger_id is not None):
        writer.drift(active.drift.now)
        controls.drift = active.drift.now.code.name.lower() if active.drift.now else ""
    if active.inspector.lost:
        raise active.inspector.lost


def _longest_silence_ms(camera: Camera, pace: Pace) -> float:
    """Silence that the loop reports as a fault; most live cameras report their own outages."""
    if isinstance(camera, ReportsOutages) or (camera.live and pace.triggered):
        return math.inf
    return pace.deadline_ms if camera.live else max(pace.deadline_ms, FILE_MS)


def _items(
    queue: FrameQueue, stop: StopEvent, deadline_ms: float
) -> Iterator[CapturedFrame | CameraNotice | Literal["waiting", "silent"]]:
    """Frames and camera notices in order; `waiting` every 50 ms, `silent` after the deadline.

    After `stop`, frames that still wait or arrive come without a picture: each trigger ends in an
    event, and a long backlog does not delay the stop.
    """
    last = time.monotonic()
    try:
        while not stop.is_set():
            if notice := queue.take_notice():
                yield notice
            captured = queue.take(POLL_MS)
            silent = captured is None and (time.monotonic() - last) * 1000 > deadline_ms
            yield captured or ("silent" if silent else "waiting")
            if captured or silent:
                last = time.monotonic()
        end = time.monotonic() + DRAIN_S
        while time.monotonic() < end:
            if captured := queue.take(POLL_MS):
                yield _without_picture(captured, Code.STOPPED)
    except CaptureEnded:
        return


def _without_picture(captured: CapturedFrame, code: Code) -> CapturedFrame:
    """The frame with a code that keeps it from being judged; an earlier code stays."""
    frame = replace(captured.frame, code=captured.frame.code or code)
    return CapturedFrame(frame, captured.passed_over)
