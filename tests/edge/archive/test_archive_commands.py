"""The archive's commands: words in any order, and the trail on paper."""

import csv
import json
from pathlib import Path

import pytest

from edge.archive.archive import Archive
from edge.archive.audit import Change
from edge.archive.database import open_database
from edge.archive.picture_store import PictureStore
from edge.archive.writer import Writer
from tests.support.archived import inspected, write
from tests.support.commands import draem_in_process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an archive of six parts."""
    engine = open_database(str(tmp_path / "archive" / "archive.db"), create=True)
    writer = Writer(engine, PictureStore(str(tmp_path / "archive" / "pictures")))
    write(writer, [inspected(n, verdict="NG" if n % 2 else "OK") for n in range(1, 7)])
    engine.dispose()
    return tmp_path


ORDERS = (
    "--limit 2 verdict=NG --json product=lid",
    "verdict=NG --limit 2 product=lid --json",
    "verdict=NG product=lid --json --limit 2",
    "--json --limit 2 verdict=NG product=lid",
    "--json verdict=NG --limit 2 product=lid",
)


@pytest.mark.parametrize("words", ORDERS)
def test_archive_takes_the_words_of_a_query_between_options(folder: Path, words: str) -> None:
    done = draem_in_process("archive", "find", *words.split(), cwd=folder)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [part["key"] for part in found] == ["1-5", "1-3"]


def test_archive_takes_no_words_and_refuses_unknown_options(folder: Path) -> None:
    done = draem_in_process("archive", "find", "--json", cwd=folder)
    assert len(done.stdout.splitlines()) == 6
    done = draem_in_process("archive", "statistics", "--by", "product", "verdict=NG", cwd=folder)
    assert done.returncode == 0, done.stderr
    done = draem_in_process("archive", "find", "verdict=NG", "--limt", "5", cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--limt" in done.stderr
    words = ("archive", "label", "1-1", "--remark", "dust", "1-3", "missed", "--who", "eva")
    done = draem_in_process(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = draem_in_process("archive", "find", "label=missed", cwd=folder)
    assert len(done.stdout.splitlines()) == 2


def test_archive_kinds_say_who_added_them_and_why(folder: Path) -> None:
    words = ("archive", "kinds", "--add", "dent", "--who", "eva", "--reason", "new tool")
    assert draem_in_process(*words, cwd=folder).returncode == 0
    with Archive(str(folder / "archive" / "archive.db")) as archive:
        (entry,) = archive.audit.newest()
    assert (entry.who, entry.reason) == ("eva", "new tool")
    for text, says in (("a\tb\u202ec", "cannot be printed"), ("x" * 101, "at most 100")):
        done = draem_in_process("archive", "kinds", "--add", "cut", "--who", text, cwd=folder)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_archive_exports_its_trail_as_table_and_page(folder: Path) -> None:
    with Archive(str(folder / "archive" / "archive.db")) as archive:
        archive.audit.record(
            Change("<b>eva</b>", "eva@panel", "threshold", "lid 4", "0.4", "0.5", "=1+1")
        )
    words = ("archive", "verify", "--csv", "trail.csv", "--html", "trail.html")
    done = draem_in_process(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader((folder / "trail.csv").read_text().splitlines())
    assert (row["who"], row["action"], row["new"]) == ("<b>eva</b>", "threshold", "0.5")
    page = (folder / "trail.html").read_text()
    assert "&lt;b&gt;eva" in page
    assert "<b>eva" not in page
    assert row["digest"] in page
