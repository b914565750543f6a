"""Aravis by GObject introspection; loaded when a GigE or USB3 Vision camera is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from edge.errors import CameraError

Aravis = Any
"""The module; it has no types."""


def load() -> Aravis:
    """The library. Raises CameraError where it is not installed."""
    try:
        import gi

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis as library
    except (ImportError, ValueError) as error:
        raise CameraError(
            "GenICam cameras need Aravis: sudo apt-get install gir1.2-aravis-0.8 "
            "libgirepository1.0-dev libcairo2-dev pkg-config gcc python3-dev, "
            "then ./just setup (or pip install '.[genicam]')"
        ) from error
    return library


@contextmanager
def asking(what: str, mend: str) -> Iterator[None]:
    """Turn the library's errors into one of ours: `what` failed, and what mends it."""
    from gi.repository import GLib

    try:
        yield
    except GLib.Error as error:
        raise CameraError(f"{what}: {error.message}; {mend}") from error


class Found(NamedTuple):
    """A camera that answered on the network or on USB; `state` is free, in use, or why neither."""

    device_id: str
    address: str
    protocol: str
    model: str
    state: str


def find() -> list[Found]:
    """Every camera that answers within a second, and whether it could be opened."""
    library = load()
    library.update_device_list()
    return [_describe(library, i) for i in range(library.get_n_devices())]


def _describe(library: Aravis, i: int) -> Found:
    device_id = library.get_device_id(i)
    model = f"{library.get_device_vendor(i)} {library.get_device_model(i)}"
    protocol, address = library.get_device_protocol(i), library.get_device_address(i)
    return Found(device_id, address, protocol, model, _state(library, device_id))


def _state(library: Aravis, device_id: str) -> str:
    try:
        with asking(device_id, "check its network"):
            camera = library.Camera.new(device_id)
            taken = camera.is_gv_device() and not camera.get_device().is_controller()
    except CameraError as error:
        return str(error)
    return "in use by another program" if taken else "free"
