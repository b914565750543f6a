"""kill -9 at any step of a release, two at once, a full disk: the old or the new, whole."""

import itertools
import os
import shutil
import signal
from pathlib import Path

import pytest

from edge.product.activation_log import activations
from edge.product.change_journal import CHANGES, recorded_changes
from edge.product.product import load_product, read_version, versions
from edge.product.versions import current_version
from tests.support.forge import Forge
from tests.support.release_files import build, make

MOST_STEPS = 400


STRUCK = {
    "seal": (("seal", "4"), "2"),
    "activate": (("activate", "3"), "3"),
    "rollback": (("rollback",), "1"),
    "import": (("import", "five.draem"), "2"),
}
"""What is struck in a station whose current version is 2, and what is current after."""


@pytest.fixture(scope="module")
def station(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_station(forge, tmp_path_factory.mktemp("stations") / "station")


def make_station(forge: Forge, root: Path) -> Path:
    """Version 1 was active, then 2; 3 could be, 4 is not sealed; a file of a fifth."""
    root.mkdir(parents=True)
    (root / "station.toml").write_text('product = "lid"\n')
    for model in (b"one", b"two", b"three", b"four", b"five"):
        build(make(root / "products", model))
    for number in "1235":
        release(forge, root, "seal", number)
    for number in "12":
        release(forge, root, "activate", number)
    release(forge, root, "export", "5", "--to", "five.draem")
    shutil.rmtree(root / "products" / "lid" / "5")
    return root


def release(forge: Forge, root: Path, *words: str) -> None:
    ended = forge.run(root, "release", *words)
    assert ended.code == 0, ended.text


@pytest.mark.parametrize("action", STRUCK)
def test_a_release_killed_at_any_step_leaves_the_old_or_the_new(
    forge: Forge, station: Path, tmp_path: Path, action: str
) -> None:
    """And whatever was left behind, the same command then does its work."""
    assert strike(forge, station, tmp_path, action, range(1, MOST_STEPS)) > 2


def strike(forge: Forge, station: Path, scratch: Path, action: str, steps: range) -> int:
    """Kill before each of the steps, in copies of a station; how many there were until the end."""
    words, after = STRUCK[action]
    for count, step in enumerate(steps):
        root = shutil.copytree(station, scratch / f"{action}-{step}", symlinks=True)
        folder = root / "products" / "lid"
        ended = forge.run(root, "release", *words, step=step)
        moved = current_version(folder)
        assert moved in ("2", after), step
        for number in versions(root / "products", "lid"):
            read_version(folder / str(number))
        if ended.code == 0:
            assert moved == after
            return count
        assert ended.code == -signal.SIGKILL, ended.text
        if action != "rollback" or moved != after:
            release(forge, root, *words)
        else:
            release(forge, root, "seal", "4")  # it takes the lock as well
        assert current_version(folder) == after, step
        assert load_product(root / "products", "lid").calibration
        assert [p.name for p in folder.rglob(".*")] == [".lock"], step
        shutil.rmtree(root)
    raise AssertionError(f"{action} has more than {len(steps)} steps")


def test_two_releases_at_once_one_wins_the_other_says_so(
    forge: Forge, station: Path, tmp_path: Path
) -> None:
    """The first is stopped in the middle; killed there, it gives the right to change back."""
    root = shutil.copytree(station, tmp_path / "station", symlinks=True)
    folder = root / "products" / "lid"
    middle = next(step for step in range(1, MOST_STEPS) if _locked_at(forge, root, step))
    first = forge.start(root, "release", "activate", "3", step=middle, stop=True)
    assert forge.wait(first).code == -signal.SIGSTOP
    for words in (("activate", "1"), ("rollback",), ("seal", "4")):
        other = forge.run(root, "release", *words)
        assert other.code == 2
        assert f"another process ({first}) is changing the releases of lid" in other.text
    assert "another process" in forge.run(root, "release", "import", "five.draem").text
    os.kill(first, signal.SIGCONT)
    assert forge.wait(first).code == 0
    assert current_version(folder) == "3"
    second = forge.start(root, "release", "activate", "1", step=middle, stop=True)
    assert forge.wait(second).code == -signal.SIGSTOP
    os.kill(second, signal.SIGKILL)
    assert forge.wait(second).code == -signal.SIGKILL
    release(forge, root, "activate", "1")
    assert current_version(folder) == "1"


def _locked_at(forge: Forge, root: Path, step: int) -> bool:
    """Whether a process that stops before this step holds the lock."""
    pid = forge.start(root, "release", "activate", "3", step=step, stop=True)
    assert forge.wait(pid).code == -signal.SIGSTOP
    held = "another process" in forge.run(root, "release", "seal", "1").text
    os.kill(pid, signal.SIGKILL)
    forge.wait(pid)
    return held


def test_many_releases_at_once_leave_a_history_that_can_be_walked(
    forge: Forge, station: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(station, tmp_path / "station", symlinks=True)
    folder = root / "products" / "lid"
    under_way = [forge.start(root, "release", "activate", str(1 + i % 3)) for i in range(12)]
    ended = [forge.wait(pid) for pid in under_way]
    assert {e.code for e in ended} <= {0, 2}
    assert all("another process" in e.text for e in ended if e.code == 2)
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
def test_a_disk_that_is_full_takes_no_release_and_keeps_what_there_is(
    forge: Forge, station: Path, tmp_path: Path, words: tuple[str, ...], enough: int
) -> None:
    """Whatever file it cannot write; nothing half done stays but a torn line of the histories."""
    changes = (station / "products" / "lid" / CHANGES).stat().st_size
    enough = max(enough, changes + 1000)
    for most in (1, 100, changes + 100, changes + 1000):
        root = shutil.copytree(station, tmp_path / str(most), symlinks=True)
        folder = root / "products" / "lid"
        before = set(root.rglob("*"))
        ended = forge.run(root, "release", *words, most_bytes=most)
        if ended.code:
            assert ended.code == 2
            assert "File too large" in ended.text
            assert len(ended.text.splitlines()) == 1, ended.text
            assert set(root.rglob("*")) == before
            assert current_version(folder) == "2"
            assert read_version(folder / "4").seal is None
            assert forge.run(root, "release", *words, most_bytes=enough).code == 0
        if words[0] == "activate":
            release(forge, root, "rollback")
            assert current_version(folder) == "2", "a torn line in the history hides none"
        recorded = (folder / CHANGES).read_bytes()
        assert recorded.count(b"\n") == len(recorded_changes(folder)), "nor one of the changes"
    assert ended.code == 0 or words[0] in ("import", "export"), "none was ever enough"
