"""A PostgreSQL server for tests: Debian's, on a free port, in a folder of its own."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests.support.ports import free_ports

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
MISSING = "PostgreSQL is not installed (apt install postgresql)"
USER = "postgres"  # the server refuses to run as root
_numbers = count(1)


class PostgreSql:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self._folder, (self.port,) = folder, free_ports(1)
        self._user: dict[str, str] = {}
        if os.geteuid() == 0:
            self._user = {"user": USER}
            shutil.chown(self._folder, USER)
        self._call("initdb", "-U", "draem", "-A", "trust", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        log = self._folder / "log"
        self._call("pg_ctl", "start", "-w", "-l", str(log), "-o", options)

    def kill(self) -> None:
        """As kill -9 would end it; `start` recovers."""
        self._call("pg_ctl", "stop", "-m", "immediate")

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test{next(_numbers)}"
        server = f"postgresql://draem@127.0.0.1:{self.port}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://draem@127.0.0.1:{self.port}/{name}"

    def _call(self, program: str, *words: str) -> None:
        command = [str(BINARIES[-1] / program), "-D", str(self._folder / "data"), *words]
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **self._user,  # type: ignore[call-overload]
        )


def is_installed() -> bool:
    """Whether this machine can run the server."""
    users = {entry.pw_name for entry in pwd.getpwall()}
    return bool(BINARIES) and (os.geteuid() != 0 or USER in users)


@contextmanager
def postgresql() -> Iterator[PostgreSql]:
    """A server that ends with the block; its user must reach the folder, so pytest's is no use."""
    with TemporaryDirectory() as folder:
        server = PostgreSql(Path(folder))
        try:
            yield server
        finally:
            server.kill()
