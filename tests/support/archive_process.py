"""`draem archive run` as a process in a folder."""

import subprocess
import sys
from pathlib import Path

from edge.base.closeable import Closeable


class ArchiveProcess(Closeable):
    """Archives one station into the folder, beside a page that is served from there."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        command = [sys.executable, "-m", "draem", "archive", "run", "--from", endpoint]
        self._log = (folder / "archive.log").open("w")
        self._process = subprocess.Popen(command, cwd=folder, stdout=self._log, stderr=self._log)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()
