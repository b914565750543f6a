"""Write a camera's settings, read each one back, and compare."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from edge.base.errors import CameraError
from edge.camera import SettingsRefused
from edge.camera.genicam.aravis import aravis_errors
from edge.camera.genicam.camera_settings import CameraSettings

TOLERANCE = 0.005
"""Exposure, gain and rate come in steps: the largest relative difference from what was asked."""

Value = str | int | float
Setting = tuple[str, Value | None, Callable[[Any], object], Callable[[], Value]]
"""Its name, the value asked for (None leaves it as it is), and how to write and to read it."""


def apply(camera: Any, settings: CameraSettings) -> None:
    """Set the camera as its address says. Raises SettingsRefused naming both values."""
    for name, asked, write, read in _in_order(camera, settings):
        if asked is None:
            continue
        refused = f"the camera refuses {name} {asked}"
        try:
            with aravis_errors(refused, "correct it in the camera's address"):
                write(asked)
                kept = read()
        except CameraError as error:
            raise SettingsRefused(str(error)) from error
        if not _same(asked, kept):
            raise SettingsRefused(
                f"the camera keeps {name} {kept}, and {asked} was asked: ask for a value that it "
                "supports, or leave it out of the address"
            )


def _same(asked: Value, kept: Value) -> bool:
    if isinstance(asked, float):
        return math.isclose(asked, float(kept), rel_tol=TOLERANCE, abs_tol=1e-9)
    return asked == kept


def _in_order(camera: Any, wanted: CameraSettings) -> Iterator[Setting]:
    """In an order that cameras accept: the format before the region, the trigger last."""
    yield (
        "pixel_format",
        wanted.pixel_format,
        camera.set_pixel_format_from_string,
        camera.get_pixel_format_as_string,
    )
    box = (wanted.x, wanted.y, wanted.width, wanted.height)
    yield (
        "region",
        None if wanted.width is None else ",".join(map(str, box)),
        lambda _: camera.set_region(*box),
        lambda: ",".join(map(str, camera.get_region())),
    )
    yield "exposure_us", wanted.exposure_us, camera.set_exposure_time, camera.get_exposure_time
    yield "gain", wanted.gain, camera.set_gain, camera.get_gain
    yield "frame_rate", wanted.frame_rate, camera.set_frame_rate, camera.get_frame_rate
    size, delay = wanted.packet_size, wanted.packet_delay
    if (size, delay) != (None, None) and not camera.is_gv_device():
        raise SettingsRefused("packet_size and packet_delay are for GigE Vision: leave them out")
    yield "packet_size", size, camera.gv_set_packet_size, camera.gv_get_packet_size
    yield "packet_delay", delay, camera.gv_set_packet_delay, camera.gv_get_packet_delay
    if wanted.chunks:
        yield "chunk mode", True, camera.set_chunk_mode, camera.get_chunk_mode
    for name in wanted.chunks:
        set_state, get_state = camera.set_chunk_state, camera.get_chunk_state
        yield f"chunk {name}", True, partial(set_state, name), partial(get_state, name)
    yield from _trigger(camera, wanted)


def _trigger(camera: Any, wanted: CameraSettings) -> Iterator[Setting]:
    """A camera keeps its trigger over a restart of the program, so `off` is written too."""
    on = wanted.trigger != "off"
    if not camera.is_feature_available("TriggerMode"):
        if on:
            raise SettingsRefused("the camera has no trigger: leave it out of the address")
        return
    values = {}
    if camera.is_feature_available("TriggerSelector"):
        values["TriggerSelector"] = "FrameStart"
    if on:
        values["TriggerSource"] = "Software" if wanted.trigger == "software" else wanted.line
    if wanted.trigger == "hardware":
        values["TriggerActivation"] = wanted.activation
    values["TriggerMode"] = "On" if on else "Off"
    for name, value in values.items():
        yield name, value, partial(camera.set_string, name), partial(camera.get_string, name)
