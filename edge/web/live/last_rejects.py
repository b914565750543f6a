"""The last rejects of a station, from its events and, before these, from the archive."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from edge.archive.search import Found
from edge.events.event import Inspection
from edge.web.codes import cause
from edge.web.live.archive_watch import Archived
from edge.web.live.live_station import LiveStation
from edge.web.live.outlines import boxes
from edge.web.live.panel_values import part_name, picture_address, reason
from edge.web.live.station_feed import REJECTS, Key, captured
from edge.web.parts import picture_address as archived_address
from edge.web.parts import thumbnail_address
from edge.web.texts import Texts


@dataclass(frozen=True)
class Reject:
    """A part that was not OK; addresses are empty where there is no picture, or no page yet.

    `outline` is an SVG path in pixels of a `frame` of this width and height; None where the large
    picture is the archive's, which has the size of the frame.
    """

    id: str
    at: datetime
    verdict: str
    name: str
    reason: str
    score: float | None
    threshold: float | None
    small: str
    large: str
    page: str
    outline: str = ""
    frame: tuple[int, int] | None = None


def last_rejects(station: LiveStation, texts: Texts) -> list[Reject]:
    """At most REJECTS of them, newest first."""
    archived = station.archive.now
    now = [_published(station, archived, header, texts) for header in station.feed.rejects()]
    known = set(archived.keys.values())
    before = [_found(part, texts) for part in archived.earlier if part.key not in known]
    return [*now, *before][:REJECTS]


def _published(
    station: LiveStation, archived: Archived, header: Inspection, texts: Texts
) -> Reject:
    key = Key(header.stream_id, header.seq)
    name = archived.keys.get(key, "")
    part, picture = archived.parts.get(name), station.pictures.find(key)
    small, large = _pictures(station, key, part)
    is_archived = part is not None and part.picture is not None
    frame = picture.frame if picture is not None and not is_archived else None
    outline = boxes(header) if frame or is_archived else ""
    return Reject(
        f"{key.stream_id}:{key.seq}", captured(header), header.verdict,
        part_name(header, texts), reason(header, texts), header.score, header.threshold,
        small, large, page_address(name), outline, frame,
    )  # fmt: skip


def _pictures(station: LiveStation, key: Key, part: Found | None) -> tuple[str, str]:
    """The small and the large picture: the archive's, or that of the live view until then."""
    if part is not None and part.picture is not None:
        return thumbnail_address(part.picture), archived_address(part.picture)
    picture = station.pictures.find(key)
    if picture is None:
        return "", ""
    return picture_address(station, picture, "small"), picture_address(station, picture, "picture")


def _found(part: Found, texts: Texts) -> Reject:
    defects = texts.say_count("{count} defect", "{count} defects", part.regions)
    why = cause(texts, part.code) if part.verdict == "NO_VERDICT" else defects
    picture = part.picture
    return Reject(
        part.key, part.at, part.verdict,
        part.part_id or texts.say("part {number}", number=part.inspection_id),
        why, part.score, part.threshold,
        thumbnail_address(picture) if picture else "", archived_address(picture) if picture else "",
        page_address(part.key),
    )  # fmt: skip


def page_address(key: str) -> str:
    """The page of a part in the archive; empty without a key."""
    return f"/parts/{key}" if key else ""


def changed(before: list[Reject], now: list[Reject]) -> Iterator[Reject]:
    """Those of `now` that are not in `before` as they are."""
    known = {one.id: one for one in before}
    return (one for one in now if known.get(one.id) != one)
