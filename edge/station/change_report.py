"""Reports what was changed in the products folder, so that it reaches the archive.

A thread reads the products' journals (edge/product/change_journal.py) and hands new lines to the
loop, which writes them into a status event. `changes.json` in the station's data folder has the
last line of each product that is in the log. Where it is lost, lines are reported again; the
archive takes each once, by its id. That is also why several stations may report one folder.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import RootModel

from edge.base.closeable import Closeable
from edge.base.files import write_json
from edge.base.validation import read_json
from edge.events.event import RecordedChange
from edge.product.change_journal import CHANGES, recorded_changes

log = logging.getLogger(__name__)

STATE = "changes.json"
POLL_S, LOGGED_S = 2.0, 5.0
MOST = 20  # changes in one event


@dataclass(frozen=True)
class Report:
    """Changes for one status event; `logged` is set once it is in the log."""

    changes: Sequence[RecordedChange]
    logged: threading.Event = field(default_factory=threading.Event)


class Reports(Protocol):
    """Where the loop takes a report: `edge.station.control.Controls`."""

    report: Report | None


class _State(RootModel[dict[str, str]]):
    """Product's name to the id of its last change that was logged."""


class ChangeReporter(Closeable):
    """Looks for new changes every two seconds until it is closed."""

    def __init__(self, products: Path, folder: Path, to: Reports) -> None:
        self._products, self._state_file, self._to = products, folder / STATE, to
        self._logged = self._read_state()
        self._seen: dict[Path, tuple[int, int]] = {}
        self._stop, self._failed = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="change-report", daemon=True)
        self._thread.start()

    def _read_state(self) -> dict[str, str]:
        try:
            return read_json(self._state_file, _State).root
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read, so changes are reported again: %s", STATE, error)
            return {}

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            try:
                for path in sorted(self._products.glob(f"*/{CHANGES}")):
                    self._report(path)
                self._failed = False
            except OSError as error:
                if not self._failed:
                    log.warning("changes of products cannot be reported for now: %s", error)
                self._failed = True

    def _report(self, path: Path) -> None:
        """Report the new lines of a journal."""
        status = path.stat()
        seen = status.st_size, status.st_mtime_ns
        if self._seen.get(path) == seen:
            return
        name, changes = path.parent.name, recorded_changes(path.parent)
        ids = [change.id for change in changes]
        last = self._logged.get(name)
        new = changes[ids.index(last) + 1 :] if last in ids else changes
        for first in range(0, len(new), MOST):
            if not self._hand_over(Report(new[first : first + MOST])):
                return
            self._logged[name] = new[first : first + MOST][-1].id
            write_json(self._state_file, self._logged)
        self._seen[path] = seen

    def _hand_over(self, report: Report) -> bool:
        """Whether the loop has logged a report; if not, it is tried again."""
        self._to.report = report
        end = time.monotonic() + LOGGED_S
        while not report.logged.wait(0.1):
            if self._stop.is_set() or time.monotonic() > end:
                self._to.report = None
                break
        return report.logged.is_set()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(LOGGED_S + POLL_S)
