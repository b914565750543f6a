"""What happened around a part."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from edge.archive.around import incidents, names, neighbours
from edge.archive.database import reading
from edge.archive.errors import ArchiveError
from edge.archive.search import find_one
from edge.archive.writer import Writer
from tests.support.archived import inspected, reported, running, write

OTHER = "other-stream-0123"


def fill(writer: Writer) -> None:
    """Ten parts of a station with a fault and a status between them, and parts of another."""
    write(writer, [running(1, "lid"), *(inspected(n) for n in range(2, 7)), reported(7)])
    write(writer, [inspected(n, version="4") for n in range(8, 12)])
    others = [inspected(n, stream=OTHER, station="line-2", product="cup") for n in range(1, 12)]
    write(writer, [*others, reported(12, stream=OTHER, station="line-2")], "tcp://b:1")


def test_neighbours_are_the_parts_before_and_after_on_the_same_station(
    engine: Engine, writer: Writer
) -> None:
    fill(writer)
    with reading(engine) as connection:
        found = neighbours(connection, "1-6", 3)
        assert [part.key for part in found] == ["1-3", "1-4", "1-5", "1-6", "1-8", "1-9", "1-10"]
        assert [part.key for part in neighbours(connection, "1-2", 2)] == ["1-2", "1-3", "1-4"]
        with pytest.raises(ArchiveError, match="no inspection has the key 1-7"):
            neighbours(connection, "1-7", 2)


def test_incidents_are_those_of_the_station_near_the_part(engine: Engine, writer: Writer) -> None:
    fill(writer)
    with reading(engine) as connection:
        part = find_one(connection, "1-8")
        found = [(one.kind, one.word, one.message) for one in incidents(connection, part)]
        assert found == [("status", "running", "lid 1"), ("fault", "camera_lost", "plug it in")]
        near = incidents(connection, part, timedelta(seconds=2))
        assert [one.kind for one in near] == ["fault"]


def test_names_are_all_that_can_be_chosen(engine: Engine, writer: Writer) -> None:
    fill(writer)
    with reading(engine) as connection:
        found = names(connection)
    assert found.stations == ["line-1", "line-2"]
    assert found.versions == {"cup": ("3",), "lid": ("4", "3", "1")}
