"""An archive of some days, with two stations, faults, product changes, labels and pictures."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from sqlalchemy import select, update

from edge.archive.archive import Archive
from edge.archive.audit import Change
from edge.archive.database import open_database, writing
from edge.archive.labels import Given
from edge.archive.picture_store import PictureStore
from edge.archive.query import Query
from edge.archive.tables import PictureState, inspection
from edge.archive.writer import Writer
from edge.events.event import Event
from tests.support.archived import inspected, reported, running, write

EVERY = timedelta(minutes=6)
STREAMS = {"line-1": "0123456789abcdef", "line-2": "fedcba9876543210"}
BAD_HOURS = range(20, 24)
SEED = 7


def fill_archive(folder: Path, until: datetime, days: float) -> tuple[str, str]:
    """Make the archive in a folder; the addresses of its database and its pictures."""
    database, pictures = str(folder / "archive.db"), str(folder / "pictures")
    engine = open_database(database, create=True)
    try:
        writer = Writer(engine, PictureStore(pictures))
        for station, endpoint in (("line-1", "tcp://a:1"), ("line-2", "tcp://a:2")):
            write(writer, list(_events(station, until, days)), endpoint)
        stored = PictureStore(pictures).put_all([_picture()])
        with writing(engine) as connection:
            bad = inspection.c.verdict == 1
            newest = select(inspection.c.at).where(bad).order_by(inspection.c.at.desc()).limit(20)
            kept = {"picture": stored[0], "picture_state": int(PictureState.KEPT)}
            this = bad & inspection.c.at.in_(newest)
            connection.execute(update(inspection).where(this).values(kept))
    finally:
        engine.dispose()
    _label(database)
    return database, pictures


def _events(station: str, until: datetime, days: float) -> Iterator[Event]:
    dice, stream = random.Random(SEED), STREAMS[station]
    count = int(days * 24 * 60 / (EVERY.total_seconds() / 60))
    begin = until - count * EVERY
    if station == "line-1":
        yield _at(running(1, "lid", stream=stream), begin)
    for i in range(2, count):
        at = (begin + i * EVERY).isoformat()
        bad = 0.3 if (begin + i * EVERY).hour in BAD_HOURS else 0.04
        roll = dice.random()
        verdict = "NG" if roll < bad else "NO_VERDICT" if roll > 0.99 else "OK"
        box = (dice.choice((40, 180, 190, 200)), dice.choice((60, 70, 130)), 20, 16)
        score = min(0.49, 0.15 + 0.2 * i / count + 0.1 * dice.random())
        more = {"score": score} if verdict == "OK" else {}
        part = f"Deckel-Ä{i}-{station}" if verdict == "NG" else f"lid-{i}-{station}"
        yield inspected(
            i, stream=stream, station=station, captured_at=at, published_at=at, verdict=verdict,
            box=box, part_id=part, **more,
        )  # fmt: skip
    if station == "line-1":
        yield _at(reported(count, stream=stream), until - 2 * EVERY)


def _at(event: Event, at: datetime) -> Event:
    header = event.header.model_copy(update={"published_at": at.isoformat()})
    return Event(header, event.mask, event.mask_png)


def _picture() -> bytes:
    image = np.full((240, 320, 3), 70, np.uint8)
    cv2.rectangle(image, (30, 40), (290, 200), (150, 110, 60), -1)
    return cv2.imencode(".png", image)[1].tobytes()


def _label(database: str) -> None:
    with Archive(database) as archive:
        for kind in ("scratch", "dent"):
            archive.add_kind(kind, "qe")
        bad = archive.find(Query(verdict="NG"), 6).parts
        for i, part in enumerate(bad):
            archive.label(part.key, Given("defect", "qe", "scratch" if i % 3 else "dent"))
        archive.audit.record(
            Change("admin", "web 10.0.0.7", "pause", "line-1", reason="Werkzeug öffnen")
        )
