"""What tests of the event log share."""

from pathlib import Path

from edge.events.encoding import decode
from edge.events.event import AnyHeader
from edge.events.journal_reader import JournalReader
from edge.station.control import Controls
from edge.station.event_writer import EventWriter
from tests.support.minimal_station import PRODUCT


def tick(writer: EventWriter) -> None:
    """A turn of the loop in which heartbeat and trimming are due."""
    writer._next_heartbeat = writer._next_trim = 0.0
    writer.tick(Controls(PRODUCT))


def logged(folder: Path) -> list[AnyHeader]:
    """The headers of all events in a log."""
    with JournalReader(folder) as reader:
        return [decode(message).header for message in reader.page(0, 1_000_000)]
