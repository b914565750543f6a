"""How far a compilation is, from TensorRT's own monitor, and the way to end it."""

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any


class Progress:
    """Shares of nested phases, told as one share of the whole; TensorRT calls it from any thread.

    `report` is given the share done, from 0 to 1, and the name of the innermost phase. Setting
    `cancelled` ends the compilation at its next step.
    """

    def __init__(self, report: Callable[[float, str], None]) -> None:
        self.cancelled = threading.Event()
        self._report = report
        self._lock = threading.Lock()
        self._open: list[tuple[str, int, int]] = []  # name, steps, steps done; outermost first
        self._highest = 0.0

    def start(self, name: str, steps: int) -> None:
        """A phase begins within the one that is open."""
        with self._lock:
            self._open.append((name, max(steps, 1), 0))
            self._tell()

    def step(self, name: str, step: int) -> bool:
        """A step of an open phase is done; False where the compilation shall end."""
        with self._lock:
            self._open = [
                (n, steps, step + 1 if n == name else done) for n, steps, done in self._open
            ]
            self._tell()
        return not self.cancelled.is_set()

    def finish(self, name: str) -> None:
        """A phase ends, and all that are open within it."""
        with self._lock:
            names = [n for n, _, _ in self._open]
            if name in names:
                del self._open[names.index(name) :]
                if not self._open:  # TensorRT does not tell its last step
                    self._highest = 1.0
            self._tell()

    def _tell(self) -> None:
        share, weight = 0.0, 1.0
        for _, steps, done in self._open:
            share += weight * min(done, steps) / steps
            weight /= steps
        # Phases overlap where TensorRT works in several threads: never tell less than before.
        self._highest = max(self._highest, min(share, 1.0))
        self._report(self._highest, self._open[-1][0] if self._open else "")


def monitor_of(trt: ModuleType, progress: Progress) -> Any:
    """The monitor that a builder's configuration takes; keep it until the build has ended."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return progress.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)

    return Monitor()
