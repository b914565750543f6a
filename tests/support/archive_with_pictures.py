"""An archive with pictures and masks as a station's, for the page: folder/archive/."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update

from edge.archive.archive import Archive
from edge.archive.database import open_database, writing
from edge.archive.picture_store import PictureStore
from edge.archive.tables import inspection
from edge.archive.writer import Writer
from edge.events.codes import Code
from edge.events.event import Event, MaskPlacement, Region
from tests.support.archived import inspected, reported, write

PARTS = 120
WIDTH, HEIGHT = 320, 240
BOX = (100, 60, 40, 30)
HOSTILE = "<img src=x onerror=alert(1)>"
"""A part id, of part 7."""


def part(number: int, now: datetime) -> Event:
    """Two minutes apart, the last one now; each sixth is NG, each tenth near the threshold."""
    score = (
        0.47 + 0.06 * (number % 20 == 0) if number % 10 == 0 else 0.9 if number % 6 == 0 else 0.1
    )
    verdict = "NG" if score >= 0.5 else "OK"
    if number == 5:
        at = _at(5, now)
        return inspected(5, verdict="NO_VERDICT", code=Code.OVERRUN, version="2", captured_at=at)
    region = Region(box=BOX, area=600, score=0.8, box_mm=(10.0, 6.0, 4.0, 3.0), area_mm2=6.0)
    made = inspected(
        number, score=score, verdict=verdict, captured_at=_at(number, now),
        regions=[region] if verdict == "NG" else [], encoder=-number, chunks={"gain": 2.5},
        part_id=HOSTILE if number == 7 else f"lid-{number % 100}",
        mask=MaskPlacement(crop=(80, 40, 160, 160), height=64, width=64),
        version="2" if number < 20 else "3",
    )  # fmt: skip
    return replace(made, mask_png=_png(_mask())) if verdict == "NG" else made


def _at(number: int, now: datetime) -> str:
    return (now - timedelta(minutes=2 * (PARTS - number))).isoformat()


def _mask() -> NDArray[np.uint8]:
    mask = np.zeros((64, 64), np.uint8)
    mask[8:20, 8:24] = 255
    return mask


def _png(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def make_archive(folder: Path) -> None:
    """120 parts of line-1, a fault among them; all pictures but those of parts 5 and 12."""
    database, pictures = folder / "archive" / "archive.db", folder / "archive" / "pictures"
    engine, store = open_database(str(database), create=True), PictureStore(str(pictures))
    now = datetime.now(UTC)
    events = [part(number, now) for number in range(1, PARTS + 1)]
    fault = reported(PARTS + 1)
    at = {"published_at": _at(12, now)}
    write(Writer(engine, store), [*events, Event(fault.header.model_copy(update=at))])
    grays = [np.full((HEIGHT, WIDTH, 3), 40 + 20 * n, np.uint8) for n in range(8)]
    digests = store.put_all([_png(gray) for gray in grays])
    with writing(engine) as connection:
        for number in range(1, PARTS + 1):
            digest = None if number in (5, 12) else digests[number % len(digests)]
            values = {"picture": digest, "picture_state": 2 if digest else 3}
            connection.execute(update(inspection).where(inspection.c.seq == number).values(values))
    engine.dispose()
    with Archive(str(database)) as archive:
        archive.add_kind("scratch", "eva")
        archive.add_kind("Dent", "eva")
