"""One command for many products: logs, results, resumption, and a Ray cluster."""

import codecs
import csv
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.base.errors import SettingsError
from edge.commands.all_products import Result, Task, read_results, resumed, write_results
from tests.support.commands import draem_in_process

FILE = """
[lid]
train = ["nowhere"]
[cup]
train = ["--help"]
[hat]
build = []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a products.toml."""
    (tmp_path / "products.toml").write_text(FILE)
    return tmp_path


def results(folder: Path) -> dict[str, str]:
    with (folder / "all" / "train" / "results.csv").open() as file:
        return {row["product"]: row["state"] for row in csv.DictReader(file)}


def test_a_product_that_fails_stops_no_other_and_is_tried_again(folder: Path) -> None:
    first = draem_in_process("train", "--all", "products.toml", cwd=folder)
    assert first.returncode == 1
    assert results(folder) == {"lid": "failed", "cup": "done"}
    assert "lid: failed after" in first.stdout
    assert "nowhere does not exist" in (folder / "all" / "train" / "lid.log").read_text()
    second = draem_in_process("train", "--all", "products.toml", cwd=folder)
    assert "1 of 2 products" in second.stderr
    assert "cup" not in second.stdout


def test_other_words_are_done_again(folder: Path) -> None:
    draem_in_process("train", "--all", "products.toml", cwd=folder)
    changed = FILE.replace('"--help"', '"--help", "--restart"')
    (folder / "products.toml").write_text(changed)
    assert "2 of 2 products" in draem_in_process(
        "train", "--all", "products.toml", cwd=folder
    ).stderr  # fmt: skip


def test_an_interrupted_training_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = Task("lid", ["train", "good", "--product", "lid"], Path("lid.log"))
    assert resumed(task) == task.command
    (tmp_path / "runs" / "lid").mkdir(parents=True)
    (tmp_path / "runs" / "lid" / "checkpoint.pt").write_bytes(b"")
    assert resumed(task) == [*task.command, "--restart"], "it was begun with other words"
    (tmp_path / "lid.words").write_text(task.digest())
    assert resumed(task) == ["train", "--resume", "--product", "lid"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data + b"S\xfcd", r"results\.csv is not UTF-8: byte \d+ \(0xfc"),
        (lambda data: data.replace(b",", b";"), r"results\.csv is not as it was written"),
        (lambda data: data.replace(b"done,0", b"done,x"), r"written \(exit_code: .*delete it"),
    ],
)
def test_results_that_another_program_has_saved_are_read_or_named(
    change: Callable[[bytes], bytes], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    write_results(path, {"lid": Result("lid", "done", 0, 1.5, "größer", "abc")})
    good = path.read_bytes()
    path.write_bytes(codecs.BOM_UTF8 + good)
    assert read_results(path)["lid"].seconds == 1.5
    path.write_bytes(change(good))
    with pytest.raises(SettingsError, match=says):
        read_results(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[lid", "cannot be used"),
        ("lid = 3", "cannot be used"),
        ("[lid]\ntrain = 'x'", "cannot be used"),
        ("[lid]\nbuild = []", "has train"),
        ("[lid]\ntrain = ['x', '--runs=y']", "leave it out"),
        ("['../x']\ntrain = []", "choose a name without /"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "products.toml").write_text(text)
    ended = draem_in_process("train", "--all", "products.toml", cwd=tmp_path)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert says in line


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Ray cluster of two workers on this machine."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray = [str(Path(sys.executable).with_name("ray"))]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*ray, "start", "--head", "--num-cpus", "1", "--port", "0"], **quiet)  # type: ignore[call-overload]
    subprocess.run([*ray, "start", "--address", "auto", "--num-cpus", "1"], **quiet)  # type: ignore[call-overload]
    yield
    subprocess.run([*ray, "stop", "--force"], **quiet)  # type: ignore[call-overload]


def test_products_run_on_a_ray_cluster(folder: Path, cluster: None) -> None:
    command = [sys.executable, "-m", "draem", "train", "--all", "products.toml", "--ray", "auto"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert results(folder) == {"lid": "failed", "cup": "done"}


def test_a_cluster_that_is_not_there_is_one_line(folder: Path) -> None:
    pytest.importorskip("ray")
    ended = draem_in_process("train", "--all", "products.toml", "--ray", "127.0.0.1:1", cwd=folder)
    assert ended.returncode == 2
    assert "start it with 'ray start --head'" in ended.stderr
