"""A station's log is restored from a copy and uses numbers again: the archive has all events."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine

from edge.archive.collector import Collector, StationAddress
from edge.archive.database import open_database
from edge.archive.picture_store import PictureStore
from edge.archive.tables import fault, stream
from edge.archive.writer import Writer
from edge.events.codes import Code
from tests.support.archived import rows
from tests.support.logging_line import Line, line
from tests.support.ports import free_ports
from tests.support.waiting import wait_until


class Plant:
    """A station whose log can be copied and restored, and an archive."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.log, self._copy = folder / "station", folder / "copy"
        ports = free_ports(2)
        self.addresses = (f"tcp://127.0.0.1:{ports[0]}", f"tcp://127.0.0.1:{ports[1]}")
        self.engine, self._store = engine, PictureStore(str(folder / "pictures"))
        self.written: list[str] = []

    def copy(self) -> None:
        shutil.copytree(self.log, self._copy)

    def restore(self) -> None:
        shutil.rmtree(self.log)
        shutil.copytree(self._copy, self.log)

    def station(self) -> AbstractContextManager[Line]:
        return line(self.log, self.addresses)

    def write(self, station: Line, count: int) -> None:
        """Faults with a text that is each one's own."""
        for _ in range(count):
            self.written.append(f"fault {len(self.written)}")
            station.writer.fault(Code.CAMERA, self.written[-1])

    @contextmanager
    def archive(self) -> Iterator[None]:
        endpoint, replay = self.addresses
        writer = Writer(self.engine, self._store, endpoints=[endpoint])
        with Collector(writer, [StationAddress(endpoint, replay)], None, "archive") as collector:
            thread = Thread(target=collector.run)
            thread.start()
            try:
                yield
            finally:
                collector.stop()
                thread.join(30)

    def wait_for_all(self) -> None:
        """All that was ever written, each once, is in the archive."""
        wait_until(lambda: len(self.archived()) >= len(self.written), "all events")
        assert self.archived() == sorted(self.written)

    def archived(self) -> list[str]:
        return sorted(row["message"] for row in rows(self.engine, fault))

    def beat(self, station: Line) -> None:
        """A heartbeat, as the loop sends them."""
        station.writer._heartbeat()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    engine = open_database(str(tmp_path / "archive.db"), create=True)
    yield Plant(tmp_path, engine)
    engine.dispose()


def archived_and_copied(plant: Plant, copied: int, more: int) -> None:
    """A log with some events, a copy of it, more events; all of them archived."""
    with plant.station() as station:
        plant.write(station, copied)
    plant.copy()
    with plant.station() as station, plant.archive():
        wait_beating(plant, station, lambda: station.publisher.count_subscribers() == 1)
        plant.write(station, more)
        wait_beating(plant, station, lambda: len(plant.archived()) == copied + more)


def wait_beating(plant: Plant, station: Line, condition: Callable[[], bool]) -> None:
    def beats() -> bool:
        plant.beat(station)
        return condition()

    wait_until(beats, "with heartbeats")


@pytest.mark.parametrize("again", [0, 1, 5, 30, 31, 60])
def test_archive_has_what_was_written_between_a_restoration_and_its_next_contact(
    plant: Plant, again: int
) -> None:
    """Fewer events than were lost, as many, or more."""
    archived_and_copied(plant, 20, 30)
    plant.restore()
    with plant.station() as station:
        plant.write(station, again)
    with plant.station() as station, plant.archive():
        wait_beating(plant, station, lambda: len(plant.archived()) == len(plant.written))
        plant.write(station, 3)
        wait_beating(plant, station, lambda: len(plant.archived()) == len(plant.written))
    plant.wait_for_all()
    assert len(rows(plant.engine, stream)) == 2


def test_archive_that_is_connected_reads_a_restored_log_again(plant: Plant) -> None:
    archived_and_copied(plant, 20, 30)
    with plant.archive():
        with plant.station() as station:
            wait_beating(plant, station, lambda: station.publisher.count_subscribers() == 1)
        plant.restore()
        with plant.station() as station:
            plant.write(station, 7)
            wait_beating(plant, station, lambda: len(plant.archived()) == len(plant.written))
            plant.write(station, 2)
            wait_beating(plant, station, lambda: len(plant.archived()) == len(plant.written))
    plant.wait_for_all()


def test_archive_does_not_read_a_log_again_that_is_the_same(
    plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    archived_and_copied(plant, 20, 30)
    for _ in range(2):
        with plant.station() as station, plant.archive():
            plant.write(station, 5)
            wait_beating(plant, station, lambda: len(plant.archived()) == len(plant.written))
    plant.wait_for_all()
    assert "restored" not in caplog.text
    assert len(rows(plant.engine, stream)) == 1
