"""A bridge in a process of its own."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.support.running_station import Running


def bridge_process(
    stack: ExitStack, station: Running, data: Path, *words: str
) -> subprocess.Popen[str]:
    """A bridge in a process of its own, until the test ends; it never shows a traceback."""
    common = ("--endpoint", station.endpoint, "--data", str(data))
    command = [sys.executable, "-m", "draem", "bridge", *words, *common]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def end() -> None:
        process.terminate()
        assert "Traceback" not in process.communicate(timeout=20)[1]

    stack.callback(end)
    return process
