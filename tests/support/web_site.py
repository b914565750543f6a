"""`draem web` as a process in a folder, with accounts of each role."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Page

from edge.base.closeable import Closeable
from edge.web.accounts.accounts import Accounts
from edge.web.accounts.roles import Role
from edge.web.jobs.job import State, read_job
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

PASSWORD = "correct horse"


class WebSite(Closeable):
    """The page on a free port; accounts are named as their roles, with PASSWORD."""

    def __init__(self, folder: Path, *words: str, accounts: bool = True) -> None:
        self.folder, self.port = folder, free_ports(1)[0]
        scheme = "https" if "--self-made" in words else "http"
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        if accounts:
            with Accounts(folder / "web" / "accounts.db") as made:
                for role in Role:
                    made.add(role.word, PASSWORD, role)
        self._command = [sys.executable, "-m", "draem", "web", "--port", str(self.port), *words]
        self.log = (folder / "web.log").open("w+")
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        out = self.log
        self._process = subprocess.Popen(self._command, cwd=self.folder, stdout=out, stderr=out)
        wait_until(self._answers, "draem web answers")
        return self._process

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._process.pid

    def signal(self, number: int) -> None:
        """Stop, continue or kill the process."""
        self._process.send_signal(number)

    def restart(self) -> None:
        """Start it again after it was killed, on the same port."""
        self._process.wait(20)
        self._start()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.output()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5):
                return True
        except OSError:
            return False

    def output(self) -> str:
        """What the program has printed and logged so far."""
        return Path(self.log.name).read_text()

    def close(self) -> None:
        self.signal(signal.SIGCONT)
        self._process.terminate()
        self._process.wait(20)
        stop_jobs(self.folder / "web" / "jobs")
        self.log.close()


def stop_jobs(folder: Path) -> None:
    """Jobs outlive the page; kill what a test has left."""
    for place in folder.glob("2*"):
        job = read_job(place)
        if job.state is State.RUNNING and job.session:
            with suppress(ProcessLookupError):
                os.killpg(job.session, signal.SIGKILL)


def log_in(page: Page, role: Role = Role.ADMINISTRATOR, name: str | None = None) -> None:
    """Log in as the account of a role, or of a name, and wait for the live page."""
    page.goto("/login")
    page.fill("input[name=name]", name or role.word)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector("main#content")
    page.wait_for_function("window.did_handshake")  # before it, the library drops what one clicks
