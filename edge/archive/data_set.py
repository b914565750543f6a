"""Parts of an archive as a data set: their pictures in files, by what people said of them.

SQLAlchemy is imported when a query is read, so that a command without one needs no extra.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from edge.archive.errors import ArchiveError, PictureLost
from edge.archive.places import ArchiveAddress, query_of
from edge.archive.query import Query
from edge.base.console import track
from edge.vision.marked_images import ArchivedPart

if TYPE_CHECKING:
    from edge.archive.archive import Archive
    from edge.archive.search import Found

log = logging.getLogger(__name__)

GOOD, DEFECTIVE = ("false-reject",), ("defect", "missed")
NO_PICTURE = {
    "none": "whose picture was not kept",
    "awaited": "whose picture has yet to come from the station",
    "missing": "whose picture the station had deleted",
    "trimmed": "whose picture the archive has deleted by its limits",
}
Wanted = Literal["good", "bad", "labelled", "any"]
"""Parts to train on as good ones, known bad ones, those with a truth, or all."""


@dataclass(frozen=True)
class ArchivedPicture:
    """The picture of a part in a temporary file, the bytes as archived."""

    path: Path
    part: "Found"

    @property
    def defect(self) -> str | None:
        """The kind of defect of a part labelled as defective, `missed` where none is known."""
        labelled = self.part.label in DEFECTIVE
        return (self.part.kind or self.part.label) if labelled else None

    @property
    def has_truth(self) -> bool:
        """Whether a person has said if the part is good."""
        return self.part.label in GOOD + DEFECTIVE


@contextmanager
def archived_pictures(
    queries: Sequence[str], address: ArchiveAddress, wanted: Wanted
) -> Iterator[list[ArchivedPicture]]:
    """The pictures that queries mean, newest first, in a folder that is removed after the block.

    Each has a JSON file of the same name, for `edge.vision.marked_images`. What is left out is
    logged with its number and reason. Raises ArchiveError where a query leaves nothing.
    """
    if not queries:
        yield []
        return
    with TemporaryDirectory(prefix="draem-archive-") as folder:
        yield _read(queries, address, wanted, Path(folder))


def _read(
    queries: Sequence[str], address: ArchiveAddress, wanted: Wanted, folder: Path
) -> list[ArchivedPicture]:
    from edge.archive.archive import Archive

    found: dict[str, ArchivedPicture] = {}
    with Archive(address.database, address.pictures) as archive:
        unfit = _pictures_of_defects(archive) if wanted == "good" else frozenset()
        for text in queries:
            counted: Counter[str | None] = Counter()
            for part in track(archive.find_all(query_of(text)), "reading the archive"):
                why = WHY_NOT[wanted](part) or _why_no_picture(part)
                if why is None and part.picture in unfit:
                    why = "whose picture is also that of a part labelled as defective"
                if why is None and part.key not in found:
                    try:
                        found[part.key] = _write(archive, part, text, folder)
                    except PictureLost as error:
                        log.warning("%s left out: %s", part.key, error)
                        why = "whose picture is lost"
                counted[why] += 1
            _tell(text, counted)
    return list(found.values())


def _pictures_of_defects(archive: "Archive") -> frozenset[str]:
    """Digests of the pictures of all parts that were labelled as defective, whatever a query asks.

    Two parts may have one picture: a camera that repeats a frame, an archive of a copied log.
    """
    queries = (Query(label="defect"), Query(label="missed"))
    parts = (part for query in queries for part in archive.find_all(query))
    return frozenset(part.picture for part in parts if part.picture)


def _why_not_good(part: "Found") -> str | None:
    if part.label is not None and part.label not in GOOD:
        return f"labelled {part.label}"
    if part.verdict == "NO_VERDICT":
        return "with NO_VERDICT"
    return "NG without a label" if part.verdict == "NG" and part.label is None else None


def _why_not_bad(part: "Found") -> str | None:
    return f"labelled {part.label}" if part.label in GOOD else _why_not_labelled(part)


def _why_not_labelled(part: "Found") -> str | None:
    if part.label in GOOD + DEFECTIVE:
        return None
    return f"labelled {part.label}" if part.label else "without a label"


WHY_NOT: dict[Wanted, Callable[["Found"], str | None]] = {
    "good": _why_not_good,
    "bad": _why_not_bad,
    "labelled": _why_not_labelled,
    "any": lambda part: None,
}


def _why_no_picture(part: "Found") -> str | None:
    state = part.picture_state
    return None if part.picture else NO_PICTURE.get(state, f"whose picture is {state}")


def _write(archive: "Archive", part: "Found", query: str, folder: Path) -> ArchivedPicture:
    """The picture and what is known of it as files."""
    assert part.picture is not None
    path = folder / f"{part.key}.png"
    path.write_bytes(archive.object(part.picture))
    names = ArchivedPart.model_fields.keys() & vars(part).keys()
    known = {name: getattr(part, name) for name in names}
    known |= {"query": query, "captured_at": part.at.isoformat()}
    path.with_suffix(".json").write_text(json.dumps(known), encoding="utf-8")
    return ArchivedPicture(path, part)


def _tell(text: str, counted: Counter[str | None]) -> None:
    """Log what is taken (no reason against it), and raise ArchiveError where it is nothing."""
    taken = counted.pop(None, 0)
    reasons = ", ".join(f"{count} {why}" for why, count in counted.most_common())
    if not taken:
        why = f"left out: {reasons}" if reasons else "no part fits it"
        raise ArchiveError(f"{text} gives no picture that can be used ({why}): ask for others")
    also = f"; left out: {reasons}" if reasons else ""
    log.info("%s: %d pictures%s", text, taken, also)
