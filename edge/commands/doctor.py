"""Show what this machine has and lacks, with the command that fixes each lack.

It changes nothing. The exit code is always 0.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, cast

import zmq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.base.errors import EngineError, PublishError
from edge.commands.arguments import add_settings, settings_of
from edge.engine.cuda import find_gpu
from edge.engine.runtimes import FLAVOURS, missing, precisions
from edge.events.client import Service, service_endpoint
from edge.events.endpoints import prepare

PACKAGES = {
    "numpy": "pip install .",
    "opencv-python-headless": "pip install .",
    "openvino": "pip install .",
    "pyzmq": "pip install .",
    "pydantic-settings": "pip install .",
    "av": "pip install '.[video]' for video files, V4L2 cameras and network video",
    "paramiko": "pip install '.[deliver]' to deliver pictures over SFTP or SMB",
    "torch": "pip install '.[trainer]' to train here",
    "onnx": "pip install '.[trainer]' to train here",
    "nncf": "pip install '.[int8]' to build engines in int8 here",
    "tensorrt": "comes with JetPack; on a PC pip install '.[tensorrt]'",
    "tensorrt-rtx-cu13-bindings": "pip install '.[tensorrt-rtx]' on a PC with an RTX card",
    "pycuda": "pip install '.[pycuda]' where the CUDA toolkit is",
}
TIMEOUT_S = 10


class CheckRow(NamedTuple):
    """One row of the table; `fix` is empty where nothing is wrong."""

    what: str
    here: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, "endpoint", "data")


def main(options: argparse.Namespace) -> int:
    table = Table("what", "here", "fix", title="draem doctor")
    for check in (
        *(_python, _disk, _clock, _gpu, _toolkit, _engines, _packages, _cameras),
        lambda: _ports(options),
        lambda: _certificates(options),
    ):
        for row in _rows(check):
            table.add_row(*map(escape, row))
    Console().print(table)
    return 0


def _rows(check: Callable[[], Iterator[CheckRow]]) -> list[CheckRow]:
    """The rows of one check; a check that fails is a row too."""
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - one failed check must not hide the others
        name = getattr(check, "__name__", "?").strip("_")
        return [CheckRow(name, "?", f"the check failed ({type(error).__name__}: {error})")]


def _python() -> Iterator[CheckRow]:
    here = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield CheckRow("Python", platform.python_version(), "" if here else "use Python 3.11 or 3.12")
    yield CheckRow("processor", f"{processor()}, {len(os.sched_getaffinity(0))} cores")


def processor() -> str:
    """The name of the processor, from /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.split("\n") if "model name" in line]
    return names[0] if names else platform.machine()


def _disk() -> Iterator[CheckRow]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    fix = "" if free > 2 else "free some space: training and logs need 2 GiB"
    yield CheckRow("free disk here", f"{free:.1f} GiB", fix)


def _clock() -> Iterator[CheckRow]:
    output = _output("timedatectl", "show", "--property=NTPSynchronized", "--value")
    fix = "sudo timedatectl set-ntp true: events carry this machine's time"
    if output is None:
        yield CheckRow("clock", "unknown", "install systemd-timesyncd or chrony")
    else:
        yield CheckRow(
            "clock", "synchronised" if output == "yes" else "free", "" if output == "yes" else fix
        )


def _gpu() -> Iterator[CheckRow]:
    """From pycuda, which the engines use; without it from nvidia-smi."""
    try:
        gpu = find_gpu()
    except EngineError as error:
        name = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
        yield CheckRow("GPU", name or "none that engines could use", str(error))
    else:
        detail = f"compute capability {gpu.capability}, {gpu.sm_count} multiprocessors"
        yield CheckRow("GPU", f"{gpu.name}, {detail}, {gpu.memory_mb} MiB, for {gpu.driver}")
    jetson = Path("/etc/nv_tegra_release")
    driver = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    if jetson.is_file():
        driver = f"Jetson Linux {jetson.read_text().split(',')[0].lstrip('# ')}"
    fix = "" if driver else "install NVIDIA's driver to use a GPU: see docs/jetson.md"
    yield CheckRow("NVIDIA driver", driver or "-", fix)


def _toolkit() -> Iterator[CheckRow]:
    output = _output("nvcc", "--version") or _output("/usr/local/cuda/bin/nvcc", "--version")
    release = output.split("release ")[-1].split(",")[0] if output else None
    fix = "" if release else "install the CUDA toolkit to build pycuda, and set CUDA_ROOT to it"
    yield CheckRow("CUDA toolkit", release or "-", fix)


def _engines() -> Iterator[CheckRow]:
    for flavour in FLAVOURS:
        lack = missing(flavour)
        here = "no" if lack else f"yes, in {', '.join(precisions(flavour))}"
        yield CheckRow(f"engine {flavour}", here, lack or "")


def _packages() -> Iterator[CheckRow]:
    for name, fix in PACKAGES.items():
        try:
            yield CheckRow(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield CheckRow(name, "-", fix)


def _cameras() -> Iterator[CheckRow]:
    found = sorted(Path("/dev").glob("video*"))
    closed = [path.name for path in found if not os.access(path, os.R_OK | os.W_OK)]
    fix = "plug one in, or use a folder, a video or line:// as --source" if not found else ""
    if closed:
        fix = (
            f"sudo usermod -aG video $USER, then log in again: {', '.join(closed)} cannot be opened"
        )
    yield CheckRow("cameras", ", ".join(path.name for path in found) or "-", fix)


def _ports(options: argparse.Namespace) -> Iterator[CheckRow]:
    """Whether the station's sockets could be bound now."""
    settings = settings_of(options)
    at = settings.endpoint
    places = {"events": at, "replay": settings.replay, "control": settings.control}
    with zmq.Context() as context:
        for name, place in (places | {"live": settings.live}).items():
            with context.socket(zmq.PUB) as socket:
                try:
                    endpoint = place or service_endpoint(at, cast("Service", name))
                    prepare(socket, endpoint, f"--{name if name != 'events' else 'endpoint'}")
                    socket.bind(endpoint)
                except PublishError as error:
                    yield CheckRow(f"port of {name}", f"{place or at}: not possible", str(error))
                except zmq.ZMQError as error:
                    fix = "a station runs already, or choose another --endpoint"
                    yield CheckRow(f"port of {name}", f"{endpoint}: {error.strerror}", fix)
                else:
                    yield CheckRow(f"port of {name}", f"{endpoint} is free")


def _certificates(options: argparse.Namespace) -> Iterator[CheckRow]:
    """Those of OPC UA servers, one for each station whose bridge has made one."""
    folders = [path.parent for path in sorted(settings_of(options).data.glob("*/opcua.der"))]
    if not folders:
        return
    from edge.bridge.protocols.opcua_certificate import problem

    for folder in folders:
        wrong = problem(folder, datetime.now(UTC), [platform.node()])
        here = "look at the fix" if wrong else "valid"
        yield CheckRow(f"OPC UA certificate of {folder.name}", here, wrong)


def _output(*command: str) -> str | None:
    """The output of a program; None where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip()
    return lines if done.returncode == 0 and lines else None
