"""Write a camera's settings, read each back, and compare: nothing is taken for granted."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from edge.base.errors import CameraError
from edge.camera import SettingsRefused
from edge.camera.genicam.aravis import asking
from edge.camera.genicam.camera_settings import CameraSettings

TOLERANCE = 0.005
"""Exposure, gain and rate come in steps: so far the value kept may lie from the one asked."""

Kept = str | int | float


class Step(NamedTuple):
    """One setting: its name in the address, what is asked, how to write and to read it."""

    name: str
    asked: Kept
    write: Callable[[], object]
    read: Callable[[], Kept]


def apply(camera: Any, settings: CameraSettings) -> None:
    """Set the camera as its address says. Raises SettingsRefused naming both values."""
    for step in _steps(camera, settings):
        kept = _written(step)
        if not _same(step.asked, kept):
            raise SettingsRefused(
                f"the camera keeps {step.name} {kept}, and {step.asked} was asked: ask for a value "
                "that it can have, or leave it out of the address"
            )


def _written(step: Step) -> Kept:
    """What the camera holds after the setting was written."""
    try:
        with asking(
            f"the camera refuses {step.name} {step.asked}", "correct it in the camera's address"
        ):
            step.write()
            return step.read()
    except CameraError as error:
        raise SettingsRefused(str(error)) from error


def _same(asked: Kept, kept: Kept) -> bool:
    if isinstance(asked, float):
        return math.isclose(asked, float(kept), rel_tol=TOLERANCE, abs_tol=1e-9)
    return asked == kept


def _steps(camera: Any, wanted: CameraSettings) -> Iterator[Step]:
    """In an order that cameras accept: the format before the region, the trigger last."""
    if wanted.pixel_format is not None:
        yield Step(
            "pixel_format",
            wanted.pixel_format,
            lambda: camera.set_pixel_format_from_string(wanted.pixel_format),
            camera.get_pixel_format_as_string,
        )
    if wanted.width is not None:
        yield from _region(camera, wanted)
    numbers = (
        ("exposure_us", wanted.exposure_us, camera.set_exposure_time, camera.get_exposure_time),
        ("gain", wanted.gain, camera.set_gain, camera.get_gain),
        ("frame_rate", wanted.frame_rate, camera.set_frame_rate, camera.get_frame_rate),
        *_network(camera, wanted),
    )
    for name, asked, write, read in numbers:
        if asked is not None:
            yield Step(name, asked, partial(write, asked), read)
    yield from _chunks(camera, wanted)
    yield from _trigger(camera, wanted)


def _region(camera: Any, wanted: CameraSettings) -> Iterator[Step]:
    box = (wanted.x, wanted.y, wanted.width, wanted.height)
    yield Step(
        "region",
        ",".join(map(str, box)),
        lambda: camera.set_region(*box),
        lambda: ",".join(str(v) for v in camera.get_region()),
    )


def _network(camera: Any, wanted: CameraSettings) -> Iterator[tuple[str, int | None, Any, Any]]:
    """What only GigE Vision has."""
    if not camera.is_gv_device():
        if wanted.packet_size is not None or wanted.packet_delay is not None:
            raise SettingsRefused(
                "packet_size and packet_delay are for GigE Vision: leave them out"
            )
        return
    yield (
        "packet_size",
        wanted.packet_size,
        camera.gv_set_packet_size,
        camera.gv_get_packet_size,
    )
    yield (
        "packet_delay",
        wanted.packet_delay,
        camera.gv_set_packet_delay,
        camera.gv_get_packet_delay,
    )


def _chunks(camera: Any, wanted: CameraSettings) -> Iterator[Step]:
    if not wanted.chunks:
        return
    yield Step(
        "chunk mode", True, lambda: camera.set_chunk_mode(True), lambda: camera.get_chunk_mode()
    )
    for name in wanted.chunks:
        yield Step(
            f"chunk {name}",
            True,
            partial(camera.set_chunk_state, name, True),
            partial(camera.get_chunk_state, name),
        )


def _trigger(camera: Any, wanted: CameraSettings) -> Iterator[Step]:
    """A camera keeps its trigger over a restart of the program, so `off` is written too."""
    text = {"off": "Off"}.get(wanted.trigger, "On")
    if not camera.is_feature_available("TriggerMode"):
        if text == "On":
            raise SettingsRefused("the camera has no trigger: leave it out of the address")
        return
    if camera.is_feature_available("TriggerSelector"):
        yield _named(camera, "TriggerSelector", "FrameStart")
    if text == "On":
        source = "Software" if wanted.trigger == "software" else wanted.line
        yield _named(camera, "TriggerSource", source)
        if wanted.trigger == "hardware":
            yield _named(camera, "TriggerActivation", wanted.activation)
    yield _named(camera, "TriggerMode", text)


def _named(camera: Any, feature: str, value: str) -> Step:
    """An enumeration by its GenICam name."""
    return Step(
        feature,
        value,
        lambda: camera.set_string(feature, value),
        lambda: camera.get_string(feature),
    )
