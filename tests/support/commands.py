"""Subcommands of draem in this process, for the tests that need no process of their own."""

import contextlib
import io
import signal
from pathlib import Path
from subprocess import CompletedProcess

from draem import main


def draem_in_process(*words: str, cwd: Path) -> CompletedProcess[str]:
    """The exit code and the output, as of a process; without the lines of the log."""
    signals = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in signals]
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(words)
    finally:
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)
    return CompletedProcess(words, code, out.getvalue(), err.getvalue())
