"""A station with several releases, and release commands killed before each of their steps."""

import shutil
import signal
from pathlib import Path
from typing import NamedTuple

from edge.product.product import load_product, read_version, versions
from edge.product.versions import current_version
from tests.support.fork_server import ForkServer
from tests.support.release_files import build, make

MAX_STEPS = 400


class Killed(NamedTuple):
    """A command to kill in a station whose current version is 2, and what is current after it."""

    words: tuple[str, ...]
    after: str


KILLED = {
    "seal": Killed(("seal", "4"), "2"),
    "activate": Killed(("activate", "3"), "3"),
    "rollback": Killed(("rollback",), "1"),
    "import": Killed(("import", "five.draem"), "2"),
}


def make_station(server: ForkServer, root: Path) -> Path:
    """Version 1 was active, then 2; 3 is ready, 4 is not sealed; five.draem holds a fifth."""
    root.mkdir(parents=True)
    (root / "station.toml").write_text('product = "lid"\n')
    for model in (b"one", b"two", b"three", b"four", b"five"):
        build(make(root / "products", model))
    for number in "1235":
        release(server, root, "seal", number)
    for number in "12":
        release(server, root, "activate", number)
    release(server, root, "export", "5", "--to", "five.draem")
    shutil.rmtree(root / "products" / "lid" / "5")
    return root


def release(server: ForkServer, root: Path, *words: str) -> None:
    server.succeed(root, "release", *words)


def kill_at_each_step(server: ForkServer, station: Path, scratch: Path, action: str) -> int:
    """Kill a command before each step, in copies of a station; how many steps it has.

    After each kill the station has the old or the new version, and the same command succeeds.
    """
    words, after = KILLED[action]
    for step in range(1, MAX_STEPS):
        root = shutil.copytree(station, scratch / f"{action}-{step}", symlinks=True)
        folder = root / "products" / "lid"
        ended = server.run(root, "release", *words, step=step)
        current = current_version(folder)
        assert current in ("2", after), step
        for number in versions(root / "products", "lid"):
            read_version(folder / str(number))
        if ended.code == 0:
            assert current == after
            return step - 1
        assert ended.code == -signal.SIGKILL, ended.text
        if action != "rollback" or current != after:
            release(server, root, *words)
        else:
            release(server, root, "seal", "4")  # it takes the lock as well
        assert current_version(folder) == after, step
        assert load_product(root / "products", "lid").calibration
        assert [p.name for p in folder.rglob(".*")] == [".lock"], step
        shutil.rmtree(root)
    raise AssertionError(f"{action} has {MAX_STEPS} steps or more")
