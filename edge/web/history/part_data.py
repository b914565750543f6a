"""All that a part's page shows, read at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.archive.archive import Archive
from edge.archive.around import Incident
from edge.archive.labels import Given
from edge.archive.query import Query
from edge.archive.search import Found

NEIGHBOURS = 4
OTHERS = 20


@dataclass(frozen=True)
class PartData:
    """A part with its defects, labels and what happened around it."""

    part: Found
    regions: Sequence[dict[str, Any]]
    labels: Sequence[Given]
    kinds: Sequence[str]
    neighbours: Sequence[Found]
    incidents: Sequence[Incident]
    others: Sequence[Found]
    """Other inspections of the same part id, newest first."""
    newer: Found | None
    older: Found | None
    """The next ones of the list that the reader comes from."""


def read_part(archive: Archive, key: str, query: Query) -> PartData:
    """Everything of one part. Raises ArchiveError for an unknown key."""
    part = archive.part(key)
    newer = archive.sheet(query, 1, part.position, newer=True).parts
    older = archive.sheet(query, 1, part.position).parts
    same = archive.find(Query(part=part.part_id), OTHERS).parts if part.part_id else []
    return PartData(
        part,
        archive.regions(key),
        archive.labels(key),
        archive.kinds(),
        archive.neighbours(key, NEIGHBOURS),
        archive.incidents(part),
        [other for other in same if other.key != key],
        newer[0] if newer else None,
        older[0] if older else None,
    )
