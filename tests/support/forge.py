"""`draem` commands in processes of their own that die, or stop, at a chosen step.

Run as a program it has everything imported and forks for each command: a real process and a real
kill -9, without the seconds of an interpreter that starts. A step is a call that changes what
is below the command's folder, as Python's audit hooks tell it; a file's bytes are part of the step
that opened it.
"""

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


class Ended(NamedTuple):
    """Exit code, negative for a signal; what it printed."""

    code: int
    text: str


class Forge:
    """Starts commands; one at a time waits in `run`, others may be under way."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.forge"]
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
        self, folder: Path, *words: str, step: int = 0, stop: bool = False, most_bytes: int = 0
    ) -> int:
        """Fork; the process id. It kills (or stops) itself before its `step`-th step."""
        job = {
            "folder": str(folder), "words": words, "step": step, "stop": stop, "most": most_bytes
        }  # fmt: skip
        self._ask(json.dumps(job))
        return int(self._answer())

    def wait(self, pid: int) -> Ended:
        """Until it has ended, or stopped: then the code is -SIGSTOP."""
        self._ask(str(pid))
        code, text = json.loads(self._answer())
        return Ended(code, text)

    def run(self, folder: Path, *words: str, step: int = 0, most_bytes: int = 0) -> Ended:
        return self.wait(self.start(folder, *words, step=step, most_bytes=most_bytes))

    def _ask(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    import edge.engine.openvino  # noqa: F401

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
    """In the fork: run the command, and end without what the forge would do at its end."""
    import draem

    code = 70
    with suppress(BaseException):
        for stream in (1, 2):
            os.dup2(output, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
        os.chdir(str(job["folder"]))
        _strike(int(str(job["step"])), signal.SIGSTOP if job["stop"] else signal.SIGKILL)
        if job["most"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(str(job["most"])),) * 2)
        words = job["words"]
        assert isinstance(words, list)
        code = draem.main(words)
        sys.stdout.flush()
    os._exit(code)


def _strike(step: int, number: signal.Signals) -> None:
    """Send this process a signal before its `step`-th step, counted from 1; 0 is never."""
    left = step

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if left and event in EVENTS and _ours(arguments) and _changes(event, arguments):
            left -= 1
            if not left:
                os.kill(os.getpid(), number)

    if step:
        sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    """Reading leaves nothing behind."""
    return event != "open" or bool(int(str(arguments[2])) & WRITES)


def _ours(arguments: tuple[object, ...]) -> bool:
    """Relative paths and open files: what lies elsewhere is named from the root."""
    first = arguments[0] if arguments else None
    text = os.fspath(first) if isinstance(first, str | os.PathLike) else None
    return not isinstance(text, str) or not text.startswith("/") or text.startswith(os.getcwd())


if __name__ == "__main__":
    main()
