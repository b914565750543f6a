"""Show what this machine has: Python, packages, processor, disk; and what a lack costs."""

import argparse
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PACKAGES = {
    "numpy": "pip install .",
    "opencv-python-headless": "pip install .",
    "openvino": "pip install .",
    "pyzmq": "pip install .",
    "pydantic-settings": "pip install .",
    "torch": "pip install '.[trainer]' to train here",
    "onnx": "pip install '.[trainer]' to train here",
    "tensorrt": "comes with JetPack; on a PC pip install '.[tensorrt]'",
    "tensorrt-rtx-cu13-bindings": "pip install '.[tensorrt-rtx]' on a PC with an RTX card",
    "pycuda": "pip install '.[tensorrt]' where the CUDA toolkit is",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: it looks and tells."""


def main(options: argparse.Namespace) -> int:
    table = Table("what", "here", "mend", title="draem doctor")
    for row in (*_machine(), *map(_package, PACKAGES)):
        table.add_row(*map(escape, row))
    Console().print(table)
    return 0


def _machine() -> list[tuple[str, str, str]]:
    python = platform.python_version()
    mend = "" if (3, 11) <= sys.version_info[:2] <= (3, 12) else "use Python 3.11 or 3.12"
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    space = "" if free > 2 else "free some space: training and logs need 2 GiB"
    return [
        ("Python", python, mend),
        ("processor", f"{processor()}, {len(os.sched_getaffinity(0))} cores", ""),
        ("free disk here", f"{free:.1f} GiB", space),
    ]


def processor() -> str:
    """The processor's name as Linux tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.split("\n") if "model name" in line]
    return names[0] if names else platform.machine()


def _package(name: str) -> tuple[str, str, str]:
    try:
        return name, metadata.version(name), ""
    except metadata.PackageNotFoundError:
        return name, "-", PACKAGES[name]
