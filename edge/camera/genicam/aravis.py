"""Aravis by GObject introspection; loaded when a GigE or USB3 Vision camera is asked for."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from edge.base.errors import CameraError

GVCP_PORT = 3956

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


def open_device(library: Aravis, name: str) -> Any:
    """A camera by its address, or by an id, serial number or MAC that discovery finds.

    A machine with several network cards hears a camera on more than one of them, and Aravis may
    stream to the wrong one: the card is the one that the route to the camera's address names.
    Raises CameraError.
    """
    mend = "'draem cameras' lists those that answer"
    address = name if _is_address(name) else _discovered(library, name)
    with asking(f"camera '{name}' cannot be opened", mend):
        if address is None:
            return library.Camera.new(name)
        return library.Camera.new_with_device(_gige(library, address))


def _gige(library: Aravis, address: str) -> Any:
    from gi.repository import Gio

    near, far = (Gio.InetAddress.new_from_string(a) for a in (_route(address), address))
    return library.GvDevice.new(near, far)


def _route(address: str) -> str:
    """The address of ours from which the system would send to `address`. Nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, GVCP_PORT))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise CameraError(
            f"no network leads to {address} ({error.strerror}): correct the address, or give this "
            "machine one in the camera's network"
        ) from error


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def _discovered(library: Aravis, name: str) -> str | None:
    """The address of a GigE Vision camera that calls itself so; None for one on USB."""
    library.update_device_list()
    for i in range(library.get_n_devices()):
        names = (library.get_device_id(i), library.get_device_serial_nbr(i))
        if name in (*names, library.get_device_physical_id(i)):
            gige = library.get_device_protocol(i) == "GigEVision"
            return str(library.get_device_address(i)) if gige else None
    raise CameraError(f"no camera '{name}' answers: 'draem cameras' lists those that do")


class CameraInfo(NamedTuple):
    """A camera that answered on the network or on USB; `state` is free, in use, or why neither."""

    device_id: str
    address: str
    protocol: str
    model: str
    state: str


def find() -> list[CameraInfo]:
    """Every camera that answers within a second, and whether it could be opened."""
    library = load()
    library.update_device_list()
    return [_describe(library, i) for i in range(library.get_n_devices())]


def _describe(library: Aravis, i: int) -> CameraInfo:
    device_id = library.get_device_id(i)
    model = f"{library.get_device_vendor(i)} {library.get_device_model(i)}"
    protocol, address = library.get_device_protocol(i), library.get_device_address(i)
    name = address if protocol == "GigEVision" else device_id
    return CameraInfo(device_id, address, protocol, model, _state(library, name))


def _state(library: Aravis, name: str) -> str:
    try:
        with asking(name, "check its network"):
            camera = open_device(library, name)
            taken = camera.is_gv_device() and not camera.get_device().is_controller()
    except CameraError as error:
        return str(error)
    return "in use by another program" if taken else "free"
