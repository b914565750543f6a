"""A small archive with real frames and labels, where commands look for one in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import update

from edge.archive.archive import Archive
from edge.archive.database import open_database, writing
from edge.archive.labels import Given
from edge.archive.objects import keep_objects
from edge.archive.picture_store import PictureStore
from edge.archive.places import DATABASE, PICTURES
from edge.archive.query import Label
from edge.archive.tables import PictureState, inspection
from edge.archive.writer import Writer
from tests.support.archived import inspected, write

KIND = "scratch"


@dataclass(frozen=True)
class Frame:
    """A part to archive; `state` is of one without a picture, `header` further fields."""

    picture: Path | None
    verdict: str = "OK"
    label: Label | None = None
    state: PictureState = PictureState.NONE
    header: dict[str, Any] = field(default_factory=dict)


def opened(folder: Path) -> Archive:
    """The archive of `make_archive`."""
    return Archive(str(folder / DATABASE), str(folder / PICTURES))


def make_archive(folder: Path, frames: Sequence[Frame]) -> list[str]:
    """Archive and label parts, numbered from 1, each a second after the one before; their keys."""
    engine = open_database(str(folder / DATABASE), create=True)
    store = PictureStore(str(folder / PICTURES))
    writer = Writer(engine, store)
    for number, frame in enumerate(frames, 1):
        write(writer, [inspected(number, verdict=frame.verdict, **frame.header)])
        values: dict[str, Any] = {"picture_state": frame.state}
        if frame.picture is not None:
            values["picture_state"] = PictureState.KEPT
            (values["picture"],) = keep_objects(engine, store, [frame.picture.read_bytes()])
        with writing(engine) as connection:
            this = inspection.c.seq == number
            connection.execute(update(inspection).where(this).values(values))
    engine.dispose()
    keys = [f"1-{number}" for number in range(1, len(frames) + 1)]
    with opened(folder) as archive:
        archive.add_kind(KIND, "eva")
    for key, frame in zip(keys, frames, strict=True):
        if frame.label:
            label(folder, key, frame.label)
    return keys


def label(folder: Path, key: str, given: Label) -> None:
    """Label a part; a defect is a scratch."""
    with opened(folder) as archive:
        archive.label(key, Given(given, "eva", KIND if given == "defect" else None))
