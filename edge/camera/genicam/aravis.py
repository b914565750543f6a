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
def aravis_errors(failure: str, fix: str) -> Iterator[None]:
    """Turn the library's errors into CameraError: what failed, why, and how to fix it."""
    from gi.repository import GLib

    try:
        yield
    except GLib.Error as error:
        raise CameraError(f"{failure}: {error.message}; {fix}") from error


def open_device(library: Aravis, name: str) -> Any:
    """A camera by its address, or by an id, serial number or MAC that discovery finds.

    A machine with several network cards hears a camera on more than one of them, and Aravis may
    stream to the wrong one: the card is the one that the route to the camera's address names.
    Raises CameraError.
    """
    address = name if _is_address(name) else _discovered(library, name)
    with aravis_errors(f"camera '{name}' cannot be opened", "'draem cameras' lists the cameras"):
        if address is None:
            return library.Camera.new(name)
        from gi.repository import Gio

        local, remote = map(Gio.InetAddress.new_from_string, (_local_address(address), address))
        return library.Camera.new_with_device(library.GvDevice.new(local, remote))


def _local_address(remote: str) -> str:
    """The address of this machine from which the system would send to `remote`.

    Connecting a UDP socket sends nothing.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((remote, GVCP_PORT))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise CameraError(
            f"no network leads to {remote} ({error.strerror}): correct the address, or give this "
            "machine one in the camera's network"
        ) from error


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def _discovered(library: Aravis, name: str) -> str | None:
    """The address of the GigE Vision camera with this id, serial or MAC; None for one on USB."""
    library.update_device_list()
    for i in range(library.get_n_devices()):
        names = (library.get_device_id(i), library.get_device_serial_nbr(i))
        if name in (*names, library.get_device_physical_id(i)):
            gige = library.get_device_protocol(i) == "GigEVision"
            return str(library.get_device_address(i)) if gige else None
    raise CameraError(f"no camera '{name}' answers: 'draem cameras' lists the cameras")


class CameraInfo(NamedTuple):
    """A camera that answered on the network or on USB; `state` is free, in use, or an error."""

    device_id: str
    address: str
    protocol: str
    model: str
    state: str


def find_cameras() -> list[CameraInfo]:
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
        with aravis_errors(name, "check its network"):
            return "in use by another program" if in_use(open_device(library, name)) else "free"
    except CameraError as error:
        return str(error)


def in_use(camera: Any) -> bool:
    """Whether another program controls an opened camera."""
    return bool(camera.is_gv_device() and not camera.get_device().is_controller())
