"""`draem` commands in processes of their own that are killed, or stopped, at a chosen step.

Run as a program it has everything imported and forks for each command: a real process and a real
kill -9, without the seconds that an interpreter takes to start. A step is a call that changes
something below the command's folder, as Python's audit hooks report it; a file's bytes are part of
the step that opened it.
"""

import importlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

CHANGES = ("rename", "mkdir", "rmdir", "remove", "link", "symlink", "chmod")
EVENTS = {"open", *(f"os.{name}" for name in CHANGES)}
WRITES = os.O_WRONLY | os.O_RDWR
IMPORTED = (
    "calibration.commands.calibrate",
    "deploy.commands.release",
    "deploy.release.signing",
    "edge.engine.openvino",
)
"""Once, so that no fork has to."""


class Ended(NamedTuple):
    """Exit code, negative for a signal; what it printed."""

    code: int
    text: str


class ForkServer:
    """Starts commands; `run` waits for one, others may run meanwhile."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.fork_server"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        assert self._answer() == "ready"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def start(
        self, folder: Path, *words: str, step: int = 0, stop: bool = False, max_bytes: int = 0
    ) -> int:
        """Fork; the process id. It kills (or stops) itself before its `step`-th step.

        No file may grow beyond `max_bytes`, where that is given.
        """
        job = {
            "folder": str(folder), "words": words, "step": step, "stop": stop, "max": max_bytes
        }  # fmt: skip
        self._ask(json.dumps(job))
        return int(self._answer())

    def wait(self, pid: int) -> Ended:
        """Until it has ended, or is stopped: then the code is -SIGSTOP."""
        self._ask(str(pid))
        code, text = json.loads(self._answer())
        return Ended(code, text)

    def run(self, folder: Path, *words: str, step: int = 0, max_bytes: int = 0) -> Ended:
        return self.wait(self.start(folder, *words, step=step, max_bytes=max_bytes))

    def succeed(self, folder: Path, *words: str) -> str:
        """Run a command that must succeed; what it printed."""
        ended = self.run(folder, *words)
        assert ended.code == 0, (words, ended.text)
        return ended.text

    def _ask(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    print("ready", flush=True)
    outputs: dict[int, int] = {}
    for line in sys.stdin:
        job = json.loads(line)
        if isinstance(job, int):
            print(json.dumps(_wait(job, outputs[job])), flush=True)
            continue
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            _work(job, writing)
        os.close(writing)
        outputs[pid] = reading
        print(pid, flush=True)


def _wait(pid: int, output: int) -> Ended:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return Ended(-signal.SIGSTOP, "")
    with os.fdopen(output) as printed:
        return Ended(os.waitstatus_to_exitcode(status), printed.read())


def _work(job: dict[str, object], output: int) -> None:
    """In the fork: run the command, and end without the exit handlers of the server."""
    import draem

    code = 70
    with suppress(BaseException):
        for stream in (1, 2):
            os.dup2(output, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
        os.chdir(str(job["folder"]))
        _signal_at(int(str(job["step"])), signal.SIGSTOP if job["stop"] else signal.SIGKILL)
        if job["max"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(str(job["max"])),) * 2)
        words = job["words"]
        assert isinstance(words, list)
        code = draem.main(words)
        sys.stdout.flush()
    os._exit(code)


def _signal_at(step: int, number: signal.Signals) -> None:
    """Send this process a signal before its `step`-th step, counted from 1; 0 is never."""
    left = step

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if left and event in EVENTS and _is_ours(arguments) and _changes(event, arguments):
            left -= 1
            if not left:
                os.kill(os.getpid(), number)

    if step:
        sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    """Opening a file to read it changes nothing."""
    return event != "open" or bool(int(str(arguments[2])) & WRITES)


def _is_ours(arguments: tuple[object, ...]) -> bool:
    """Relative paths and open files: everything elsewhere has an absolute path."""
    first = arguments[0] if arguments else None
    text = os.fspath(first) if isinstance(first, str | os.PathLike) else None
    return not isinstance(text, str) or not text.startswith("/") or text.startswith(os.getcwd())


if __name__ == "__main__":
    main()
