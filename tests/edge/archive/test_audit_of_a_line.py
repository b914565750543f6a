"""From a person at a line to the audit trail of an archive that is killed meanwhile."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.archive.archive import Archive
from edge.archive.database import open_database
from tests.support.commands import draem_in_process
from tests.support.release_files import build, make
from tests.support.running_station import Running
from tests.support.waiting import wait_until

DATABASE = "archive/archive.db"
WHO = ("--who", "eva", "--reason", "test")


@contextmanager
def archiving(folder: Path, station: Running) -> Iterator[None]:
    """`draem archive run`, killed at the end of the block."""
    command = [sys.executable, "-m", "draem", "archive", "run", "--endpoint", station.endpoint]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def trail(folder: Path) -> Counter[tuple[str, str, str]]:
    with Archive(str(folder / DATABASE)) as archive:
        entries, faults, _ = archive.audit.verified()
    assert faults == []
    return Counter((entry.who, entry.action, entry.reason) for entry in entries)


def test_archive_has_each_change_of_a_line_and_its_products_once(tmp_path: Path) -> None:
    open_database(str(tmp_path / DATABASE), create=True).dispose()
    products = tmp_path / "products"
    for model in (b"one", b"two"):
        build(make(products, model))

    def done(*words: str) -> None:
        ended = draem_in_process(*words, *WHO, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr

    def release(*words: str) -> None:
        done("release", *words, "--product", "lid")

    def control(request: str) -> None:
        done("control", request, "--endpoint", station.endpoint)

    release("seal", "1")
    station = Running(tmp_path / "data", products=products)
    expected = Counter({("eva", "seal", "test"): 1})
    with archiving(tmp_path, station):
        control("pause")
        expected["eva", "pause", "test"] += 1
        wait_until(lambda: trail(tmp_path) == expected, "the seal and the pause")
    control("resume")
    release("seal", "2")
    release("activate", "2")
    station.close()
    release("activate", "1")
    release("rollback")
    station = Running(tmp_path / "data", products=products, endpoint=station.endpoint)
    for action, count in (("resume", 1), ("seal", 1), ("activate", 2), ("rollback", 1)):
        expected["eva", action, "test"] += count
    with archiving(tmp_path, station):
        wait_until(lambda: trail(tmp_path) == expected, "the rest")
    station.close()
