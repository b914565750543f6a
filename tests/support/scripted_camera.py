"""A camera whose reads follow a script, and what a ReconnectingCamera makes of it."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from threading import Event as StopEvent

import numpy as np

from edge.base.errors import CameraError
from edge.camera import Camera, CameraNotice, FrameTimeout
from edge.camera.reconnecting import ReconnectingCamera
from edge.camera.trigger_matching import TriggerMatcher
from edge.events.codes import Code
from edge.vision.frame import Frame
from tests.support.minimal_station import FakeCamera

Step = Callable[[], Frame]
SEEDS = count(100)


class ScriptedCamera(FakeCamera):
    """After the last step of its script it gives good frames."""

    live = True

    def __init__(self, *steps: Step) -> None:
        self._steps = iter(steps)
        self.closed = False

    def read(self) -> Frame:
        time.sleep(0.01)
        return next(self._steps, good)()

    def close(self) -> None:
        self.closed = True


def picture(seed: int, side: int = 8, code: Code = Code.NONE) -> Frame:
    image = np.random.default_rng(seed).integers(0, 255, (side, side), np.uint8)
    return Frame(image, seed, time.monotonic_ns(), code=code)


def good() -> Frame:
    """A step: a picture that never came before."""
    return picture(next(SEEDS))


def silent() -> Frame:
    """A step: no frame in time."""
    raise FrameTimeout("no frame yet")


def fails(text: str = "the cable is cut") -> Step:
    """A step that ends the connection."""

    def step() -> Frame:
        raise CameraError(text)

    return step


def hangs(until: StopEvent) -> Step:
    """A step that does not return before `until`."""

    def step() -> Frame:
        until.wait(30)
        raise CameraError("it returned too late")

    return step


def reconnecting(
    *cameras: Camera, deadline_ms: int | None = 300, matcher: TriggerMatcher | None = None
) -> ReconnectingCamera:
    """Each connection gets the next of `cameras`; the last one is used for all further ones."""
    rest = list(cameras)
    return ReconnectingCamera(
        "camera T", lambda: rest.pop(0) if len(rest) > 1 else rest[0], deadline_ms, matcher=matcher
    )


def results(camera: ReconnectingCamera, seconds: float = 10) -> Iterator[Frame | CameraNotice]:
    """Its frames and its notices, in order."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            yield camera.read()
        except FrameTimeout:
            continue
        except CameraNotice as notice:
            yield notice


def frames(camera: ReconnectingCamera) -> Iterator[Frame]:
    """Its frames alone."""
    return (result for result in results(camera) if isinstance(result, Frame))


def results_until(camera: ReconnectingCamera, last: Code) -> list[Frame | CameraNotice]:
    """Everything up to the first result with the code `last`."""
    found: list[Frame | CameraNotice] = []
    for result in results(camera):
        found.append(result)
        if result.code is last:
            return found
    raise AssertionError(f"{last.name} never came: {[result.code for result in found]}")


def codes_until(camera: ReconnectingCamera, last: Code) -> list[Code]:
    """The codes up to `last`, without those of good frames."""
    return [r.code for r in results_until(camera, last) if r.code is not Code.NONE]
