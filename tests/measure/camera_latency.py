"""From the arrival of a GigE Vision camera's buffer to the start of `fit`, beside a bare loop.

Run by './just camera-storm latency'.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from edge.base.errors import CameraError
from edge.camera.genicam.camera import GenicamCamera
from edge.camera.genicam.camera_settings import parse
from edge.events.event import Inspection
from edge.vision.fit import Fit
from tests.support.cameras import CameraStation, FakeGige, wait_for


class TimedCamera(GenicamCamera):
    """Records when each buffer was taken from the stream."""

    popped: dict[int, int] = {}  # noqa: RUF012  one camera at a time

    def _frame(self, buffer: Any) -> Any:
        now = time.monotonic_ns()
        made = super()._frame(buffer)
        self.popped[made.frame_id] = now
        return made


def latency(folder: Path) -> bool:
    """From the buffer's arrival to the start of `fit`, beside a bare loop over the same stream."""
    size = {"x": 0, "y": 0, "width": 1920, "height": 1200, "packet_size": 8500}
    ours: list[float] = []
    bare: list[float] = []
    with FakeGige(packet_socket=True) as gige:
        for turn in range(5):
            source = gige.source(frame_rate=20, **size)
            bare += _bare(source, 150)
            TimedCamera.popped.clear()
            station = CameraStation(folder / str(turn), source)
            camera = station.reconnecting
            camera._connect = lambda s=source: TimedCamera(parse(s))  # type: ignore[misc]
            assert camera._connection is not None
            camera._connection._results.put(CameraError("reconnect, to measure"))
            wait_for(lambda s=station: s.verdicts() > 150, 60)  # type: ignore[misc]
            station.close()
            ours += _waited(station.inspections())
    print(
        f"latency at 1920x1200 Mono8, from a buffer's arrival to the start of fit: ours median "
        f"{np.median(ours):.2f} ms, p99 {np.percentile(ours, 99):.2f} ({len(ours)} frames); bare "
        f"loop median {np.median(bare):.2f}, p99 {np.percentile(bare, 99):.2f} ({len(bare)}); "
        f"5 turns of each, alternating"
    )
    return bool(np.percentile(ours, 99) - np.percentile(bare, 99) < 2)


def _waited(inspections: list[Inspection]) -> list[float]:
    """Milliseconds from pop to fit of the judged frames; the first second is left out."""
    found = []
    for i in inspections:
        if i.frame_id in TimedCamera.popped and i.verdict != "NO_VERDICT":
            start = i.captured_ns + i.stages_ms["wait"] * 1e6
            found.append((start - TimedCamera.popped[i.frame_id]) / 1e6)
    return found[20:]


def _bare(source: str, count: int) -> list[float]:
    """Only pop, bytes, array and fit."""
    found: list[float] = []
    fit = Fit(256, 256)
    with TimedCamera(parse(source)) as camera:
        while len(found) < count:
            buffer = camera._stream.timeout_pop_buffer(1_000_000)
            if buffer is None:
                continue
            popped = time.monotonic_ns()
            flat = np.frombuffer(buffer.get_image_data(), np.uint8)
            whole = flat.size == 1920 * 1200
            start = time.monotonic_ns()
            if whole:
                fit(flat.reshape(1200, 1920))
                found.append((start - popped) / 1e6)
            camera._stream.push_buffer(buffer)
    return found
