"""A process of `python -m` that is killed, frozen and started again."""

import signal
import subprocess
import sys
import time

from edge.base.closeable import Closeable


class Restarted(Closeable):
    """Runs until it is closed."""

    def __init__(self, *words: str) -> None:
        self._command = [sys.executable, "-m", *words]
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        self.process = subprocess.Popen(self._command)

    def kill(self) -> None:
        """End it at once, with kill -9."""
        self.process.kill()
        self.process.wait()

    def freeze(self, seconds: float) -> None:
        """Stop it for a while."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
