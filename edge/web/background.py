"""What `draem web` does while nobody looks: webhooks and shift reports."""

import logging
from collections.abc import Callable
from hashlib import sha256
from threading import Event as StopEvent
from threading import Thread

from edge.archive.shift_times import Shift
from edge.base.closeable import Closeable
from edge.base.errors import DraemError
from edge.web.report.writer import ReportWriter
from edge.web.site import Site
from edge.web.webhooks.hooks import Hooks
from edge.web.webhooks.queue import Message, Queue
from edge.web.webhooks.sender import Sender
from edge.web.webhooks.watcher import Watcher

log = logging.getLogger(__name__)

EVERY_S = 2.0
TIDY_EVERY = 1800  # times EVERY_S: each hour
REPORT = "shift.report"


class Background(Closeable):
    """Follows the archive for webhooks, sends them, and writes shift reports, in threads.

    `error` is why webhooks are not followed now, empty where they are.
    """

    def __init__(self, site: Site) -> None:
        self.hooks = Hooks(site.accounts.engine)
        self.queue = Queue(site.accounts.engine, self.hooks.clock)
        self.error = ""
        self._watcher = Watcher(site.archive, self.hooks)
        self._sender = Sender(self.hooks, self.queue)
        folder = site.settings.reports
        self.reports = ReportWriter(site, folder, self._announce) if folder else None
        self._closed, self._soon = StopEvent(), StopEvent()
        self._thread = Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        if self.reports is not None:
            self.reports.start()

    def look_soon(self) -> None:
        """Something was registered or queued."""
        self._soon.set()

    def _work(self) -> None:
        turn = 0
        while not self._closed.is_set():
            self._look(is_tidying=turn % TIDY_EVERY == 0)
            turn += 1
            self._soon.wait(EVERY_S)
            self._soon.clear()

    def _look(self, *, is_tidying: bool) -> None:
        """What is queued is sent also while the archive cannot be read."""
        steps = [self._watcher.look, self._sender.send_due]
        if is_tidying:
            steps.append(self.queue.delete_old)
        errors = [error for step in steps if (error := self._tried(step))]
        self.error = errors[0] if errors else ""

    def _tried(self, step: Callable[[], None]) -> str:
        """Do it; what is wrong, empty where nothing is."""
        try:
            step()
        except DraemError as error:
            if str(error) != self.error:
                log.error("webhooks wait: %s", error)
            return str(error)
        except Exception:
            log.exception("webhooks failed")
            return "webhooks failed: the program's log has the reason"
        return ""

    def _announce(self, shift: Shift, files: list[str]) -> None:
        """Queue the message; its id is made of the shift, so a second one is left out."""
        name = f"{REPORT} {shift.key} {shift.name}"
        data = {
            "shift": shift.key,
            "name": shift.name,
            "begin": shift.begin.isoformat(),
            "end": shift.end.isoformat(),
            "files": files,
        }
        message = Message(f"msg_{sha256(name.encode()).hexdigest()[:32]}", REPORT, shift.end, data)
        self.queue.add([one for one in self.hooks.all() if REPORT in one.events], message)
        self.look_soon()

    def close(self) -> None:
        self._closed.set()
        self._soon.set()
        if self.reports is not None:
            self.reports.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._sender.close()
