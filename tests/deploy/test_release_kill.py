"""kill -9 at any step of a release, two at once, a full disk: the old or the new version, whole."""

import itertools
import os
import shutil
import signal
from pathlib import Path

import pytest

from edge.product.activation_log import activations
from edge.product.product import read_version
from edge.product.versions import current_version
from tests.support.fork_server import ForkServer
from tests.support.release_kills import (
    KILLED,
    MAX_STEPS,
    kill_at_each_step,
    make_station,
    release,
)


@pytest.fixture(scope="module")
def station(fork_server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_station(fork_server, tmp_path_factory.mktemp("stations") / "station")


@pytest.mark.parametrize("action", KILLED)
def test_a_release_killed_at_any_step_leaves_the_old_or_the_new_version(
    fork_server: ForkServer, station: Path, tmp_path: Path, action: str
) -> None:
    """And whatever the killed command left behind, the same command then succeeds."""
    assert kill_at_each_step(fork_server, station, tmp_path, action) > 2


def test_of_two_releases_at_once_one_wins_and_the_other_is_refused(
    fork_server: ForkServer, station: Path, tmp_path: Path
) -> None:
    """The first is stopped while it holds the lock; when it is killed there, the lock is free."""
    root = shutil.copytree(station, tmp_path / "station", symlinks=True)
    folder = root / "products" / "lid"
    locked = next(step for step in range(1, MAX_STEPS) if _locked_at(fork_server, root, step))
    first = fork_server.start(root, "release", "activate", "3", step=locked, stop=True)
    assert fork_server.wait(first).code == -signal.SIGSTOP
    for words in (("activate", "1"), ("rollback",), ("seal", "4"), ("import", "five.draem")):
        other = fork_server.run(root, "release", *words)
        assert other.code == 2
        assert f"somebody else is changing the releases of lid (process {first})" in other.text
    os.kill(first, signal.SIGCONT)
    assert fork_server.wait(first).code == 0
    assert current_version(folder) == "3"
    second = fork_server.start(root, "release", "activate", "1", step=locked, stop=True)
    assert fork_server.wait(second).code == -signal.SIGSTOP
    os.kill(second, signal.SIGKILL)
    assert fork_server.wait(second).code == -signal.SIGKILL
    release(fork_server, root, "activate", "1")
    assert current_version(folder) == "1"


def _locked_at(server: ForkServer, root: Path, step: int) -> bool:
    """Whether a process that stops before this step holds the lock."""
    pid = server.start(root, "release", "activate", "3", step=step, stop=True)
    assert server.wait(pid).code == -signal.SIGSTOP
    held = "somebody else" in server.run(root, "release", "seal", "1").text
    os.kill(pid, signal.SIGKILL)
    server.wait(pid)
    return held


def test_many_releases_at_once_leave_a_consistent_history(
    fork_server: ForkServer, station: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(station, tmp_path / "station", symlinks=True)
    folder = root / "products" / "lid"
    running = [fork_server.start(root, "release", "activate", str(1 + i % 3)) for i in range(12)]
    ended = [fork_server.wait(pid) for pid in running]
    assert {e.code for e in ended} <= {0, 2}
    assert all("somebody else" in e.text for e in ended if e.code == 2)
    moves = activations(folder)
    assert moves[-1].to == current_version(folder)
    assert all(one.to == other.before for one, other in itertools.pairwise(moves))


@pytest.mark.parametrize(
    ("words", "enough"),
    [
        (("import", "five.draem"), 2000),
        (("export", "1", "--to", "one.draem"), 10_000),
        (("seal", "4"), 500),
        (("activate", "3"), 500),
        (("rollback",), 500),
    ],
)
def test_a_full_disk_refuses_a_release_and_keeps_what_there_is(
    fork_server: ForkServer, station: Path, tmp_path: Path, words: tuple[str, ...], enough: int
) -> None:
    """Whatever file cannot be written; at most a torn line of the history is left behind."""
    for limit in (1, 100, 400):
        root = shutil.copytree(station, tmp_path / str(limit), symlinks=True)
        folder = root / "products" / "lid"
        before = set(root.rglob("*"))
        ended = fork_server.run(root, "release", *words, max_bytes=limit)
        if ended.code:
            assert ended.code == 2
            assert "too large for this disk" in ended.text
            assert len(ended.text.splitlines()) == 1, ended.text
            assert set(root.rglob("*")) == before
            assert current_version(folder) == "2"
            assert read_version(folder / "4").seal is None
            assert fork_server.run(root, "release", *words, max_bytes=enough).code == 0
        if words[0] == "activate":
            release(fork_server, root, "rollback")
            assert current_version(folder) == "2", "a torn line in the history hides no version"
    assert ended.code == 0 or words[0] in ("import", "export"), "no limit was ever enough"
