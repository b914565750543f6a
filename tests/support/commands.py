"""`draem` commands inside the test's process: no start of Python, no import of PyTorch again."""

import contextlib
import io
import logging
import signal
import subprocess
import threading
from pathlib import Path
from unittest.mock import patch

import draem as program


def draem_in_process(*words: str, cwd: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `draem WORDS` in folder `cwd`; its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    handler, root = logging.StreamHandler(err), logging.getLogger()
    level, thread_hook = root.level, threading.excepthook
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        with (
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            patch("sys.stdin", io.StringIO(typed)),
        ):
            try:
                code = program.main(words)
            except SystemExit as ended:  # --help
                code = int(ended.code or 0)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        threading.excepthook = thread_hook
        for number, old in signals.items():
            signal.signal(number, old)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
