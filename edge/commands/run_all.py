"""Starts several stations on one device, one process each.

It restarts none: that is the task of systemd (deploy/draem@.service).
"""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from edge.base.errors import SettingsError

FOLDER = Path("stations")

log = logging.getLogger(__name__)


def run_all(folder: Path = FOLDER) -> int:
    """Start `draem run` for each file of the folder, forward signals, and wait for all.

    Returns the highest exit code. Raises SettingsError where there is no station.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise SettingsError(
            f"there is no station in {folder}/: write {folder}/NAME.toml for each station"
        )
    running: dict[str, subprocess.Popen[bytes]] = {}

    def forward(number: int, _: FrameType | None) -> None:
        for process in running.values():
            if process.poll() is None:
                process.send_signal(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # none is lost while they are being started
    for number in signals:
        signal.signal(number, forward)
    for file in files:
        running[file.stem] = _start(file)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    codes = {name: _ended(name, process) for name, process in running.items()}
    return max(codes.values())


def _start(file: Path) -> "subprocess.Popen[bytes]":
    """In a process group of its own, so that Ctrl-C reaches it once, through `forward`."""
    command = [sys.executable, "-m", "draem", "run"]
    environment = {**os.environ, "DRAEM_STATION_FILE": str(file)}
    log.info("station %s starts", file.stem)
    return subprocess.Popen(
        command,
        env=environment,
        process_group=0,
        preexec_fn=_unblock,
    )


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def _ended(name: str, process: "subprocess.Popen[bytes]") -> int:
    code = process.wait()
    level = logging.INFO if code == 0 else logging.ERROR
    log.log(level, "station %s has ended with %d", name, code)
    return abs(code)
