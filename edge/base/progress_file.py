"""`--progress FILE`: how far a command is, as JSON lines for a program that shows it to people.

Each line has `at` (seconds since 1970) and `stage`, a counted one `done` and `total`, and figures
of its own. One file for the whole process, as with a log.
"""

import json
import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)

INTERVAL_S = 0.5


class _File:
    path: Path | None = None
    stage = ""
    next_at = 0.0


def report_progress_to(path: Path | None) -> None:
    """From now on `tell_progress` appends to this file; None tells nobody."""
    _File.path, _File.stage = path, ""


def tell_progress(stage: str, done: float, total: float, **figures: object) -> None:
    """So much of a stage is done; of one stage two lines a second, and its last one."""
    now = time.monotonic()
    if stage == _File.stage and now < _File.next_at and done < total:
        return
    _File.stage, _File.next_at = stage, now + INTERVAL_S
    tell_fact(stage, done=done, total=total, **figures)


def tell_fact(stage: str, **figures: object) -> None:
    """A line that is written in any case. A file that cannot be written stops no command."""
    if _File.path is None:
        return
    line = json.dumps({"at": round(time.time(), 2), "stage": stage, **figures}) + "\n"
    try:
        with _File.path.open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        log.warning("no progress any more: %s cannot be written (%s)", _File.path, error.strerror)
        _File.path = None
