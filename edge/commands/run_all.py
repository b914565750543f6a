"""Starts several stations on one device, one process each.

It restarts none: that is the task of systemd (deploy/draem@.service).
"""

import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import BinaryIO, TextIO

from edge.base.errors import SettingsError
from edge.commands.stations import FOLDER

LABELLED_S = 5.0  # for the last lines; what a station has started may hold its output open

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
    labelling = {name: _labelled(name, process) for name, process in running.items()}
    codes = {name: _ended(name, process, labelling[name]) for name, process in running.items()}
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
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _labelled(name: str, process: "subprocess.Popen[bytes]") -> list[Thread]:
    """Threads that pass on what a station prints; begun when all run, since threads cannot fork."""
    outputs = ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    threads = [Thread(target=_label, args=(name, *output), daemon=True) for output in outputs]
    for thread in threads:
        thread.start()
    return threads


def _label(name: str, source: BinaryIO, to: TextIO) -> None:
    """Pass a station's output on, line by line, with its name before each."""
    with source:
        for data in source:
            with suppress(OSError, ValueError):  # the station must not wait for who reads us
                to.write(f"{name}: {data.decode(errors='replace').rstrip()}\n")
                to.flush()


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def _ended(name: str, process: "subprocess.Popen[bytes]", labelling: list[Thread]) -> int:
    code = process.wait()
    for thread in labelling:
        thread.join(LABELLED_S)
    level = logging.INFO if code == 0 else logging.ERROR
    log.log(level, "station %s has ended with %d", name, code)
    return abs(code)
