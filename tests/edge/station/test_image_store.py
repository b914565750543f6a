"""Pictures that cannot be kept are counted, wherever the reason lies, and the line goes on."""

import errno
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge.events.event import Inspection
from edge.events.journal import DATABASE_NAME, Journal
from edge.station.event_writer import EventWriter
from edge.station.image_store import BoundedFolder, ImageStore, KeepRules
from tests.support.minimal_station import PRODUCT, inspect
from tests.support.recorded_events import RecordedEvents
from tests.support.running_station import Running
from tests.support.waiting import wait_until

IMAGE = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def reject(tmp_path: Path) -> Inspection:
    """The header of a reject that is in the log."""
    with Journal(tmp_path / "log", reserve_bytes=4096) as journal:
        return inspect(EventWriter("s", PRODUCT, journal, RecordedEvents()), 1, gray=255)


def test_a_picture_of_a_part_whose_event_is_not_logged_yet_is_counted_as_dropped(
    reject: Inspection, tmp_path: Path
) -> None:
    """It has no number: its file would have been /1.png, which root may write."""
    at_the_root = set(os.listdir("/"))
    with ImageStore(tmp_path / "store", KeepRules()) as store:
        store.offer(reject.model_copy(update={"stream_id": ""}), IMAGE)
        store.offer(reject, IMAGE)
    assert store.dropped == 1
    assert set(os.listdir("/")) == at_the_root
    found = {path.relative_to(tmp_path / "store") for path in tmp_path.rglob("*.png")}
    name = f"{reject.stream_id[:8]}/{reject.inspection_id}.png"
    assert found == {Path("pictures") / name, Path("ring") / name}


def test_a_line_whose_log_is_locked_counts_pictures_and_keeps_them_again(tmp_path: Path) -> None:
    running = Running(tmp_path)
    folder = tmp_path / running.settings.station
    try:
        wait_until(lambda: list(folder.rglob("*.png")), "pictures are kept")
        other = sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        wait_until(lambda: running.controls.pictures_dropped > 5, "pictures are dropped")
        other.execute("ROLLBACK")
        other.close()
        wait_until(lambda: running.controls.unlogged == 0, "all events are in the log")
        kept = len(list(folder.rglob("pictures/*/*.png")))
        wait_until(
            lambda: len(list(folder.rglob("pictures/*/*.png"))) > kept, "pictures are kept again"
        )
        assert not running.stop.is_set()
    finally:
        running.close()


@contextmanager
def folder_is_a_file(folder: Path) -> Iterator[None]:
    (folder / "pictures").write_text("not a folder")
    yield
    (folder / "pictures").unlink()


@contextmanager
def folder_was_removed(folder: Path) -> Iterator[None]:
    """A link to a disk that is not mounted any more."""
    (folder / "pictures").symlink_to(folder / "unmounted" / "pictures")
    yield
    (folder / "pictures").unlink()


@contextmanager
def too_many_open_files(folder: Path) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def failing(error: Exception) -> object:
    @contextmanager
    def fails(folder: Path) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:

            def write(*_: object) -> None:
                raise error

            patched.setattr("edge.station.image_store.write_png", write)
            yield

    return fails


@pytest.mark.parametrize(
    ("fault", "fix"),
    [
        (folder_is_a_file, "can be written"),
        (folder_was_removed, "can be written"),
        (too_many_open_files, "allow more open files"),
        (failing(OSError(errno.ENOSPC, "No space left on device")), "free space"),
        (failing(OSError(errno.EDQUOT, "Disk quota exceeded")), "free space"),
        (failing(OSError(errno.EROFS, "Read-only file system")), "can be written"),
        (failing(MemoryError("no memory")), "can be written"),
    ],
)
def test_pictures_that_cannot_be_written_are_counted_and_the_next_ones_are_kept(
    fault: object, fix: str, reject: Inspection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ImageStore(tmp_path, KeepRules(ring=0)) as store:
        with fault(tmp_path):  # type: ignore[operator]
            for _ in range(3):
                store.offer(reject, IMAGE)
            wait_until(lambda: store.dropped == 3, "three pictures are dropped")
        store.offer(reject, IMAGE)
    assert store.dropped == 3
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1
    assert caplog.text.count("pictures cannot be kept") == 1
    assert fix in caplog.text


def test_a_picture_that_cannot_be_deleted_does_not_end_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = BoundedFolder(tmp_path, max_bytes=1)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    for number in range(3):
        with pytest.raises(PermissionError):
            folder.add(tmp_path / f"{number}.png", IMAGE)
