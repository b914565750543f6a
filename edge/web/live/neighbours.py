"""What is well, and what is not, beside a station: archive, PLC bridges, disk."""

import time
from collections.abc import Iterator

from edge.web.live.condition import Condition, unknown
from edge.web.live.health_watch import Cursor
from edge.web.live.live_station import LiveStation
from edge.web.live.station_feed import Level
from edge.web.texts import Texts

ARCHIVE = "archive"  # the cursor of 'draem archive run', unless it was given another --name
STALLED_S, SILENT_S = 15.0, 10.0
BEHIND = 1000
LITTLE_BYTES, TOO_LITTLE_BYTES = 2 << 30, 500 << 20


def neighbours(station: LiveStation, texts: Texts) -> Iterator[Condition]:
    """Archive, bridges, and the disk where it is on this machine."""
    yield _archive(station, texts)
    yield _bridges(station, texts)
    yield from _disk(station, texts)


def _archive(station: LiveStation, texts: Texts) -> Condition:
    say, now, head = texts.say, station.archive.now, station.feed.head
    if now.error:
        return Condition("archive", "bad", say("fault"), now.error)
    if not now.at or now.stream_id != head.stream_id or not head.stream_id:
        return unknown("archive", texts)
    start = say("Start 'draem archive run', or see its log. The station keeps its events for it.")
    if now.head is None:
        return Condition(
            "archive", "bad", say("nothing"), say("It has nothing of this station."), start
        )
    behind = max(0, head.seq - now.head)
    word = texts.say_count("{count} event behind", "{count} events behind", behind)
    if time.monotonic() - now.moved_at > STALLED_S:
        return Condition("archive", "bad", word, say("It does not go on."), start)
    if behind > BEHIND:
        text = say("It catches up by itself, if the database is fast enough.")
        return Condition("archive", "warning", word, say("It is far behind."), text)
    return Condition("archive", "good", word if behind > 100 else say("up to date"))


def _bridges(station: LiveStation, texts: Texts) -> Condition:
    """That of the bridge that is worst."""
    cursors = station.health.answers.cursors
    if cursors is None:
        return unknown("bridge", texts)
    bridges = [one for one in cursors if one.role == "bridge" and one.name != ARCHIVE]
    if not bridges:
        return Condition("bridge", "unknown", texts.say("none"))
    return max((_bridge(station, one, texts) for one in bridges), key=_weight)


def _bridge(station: LiveStation, cursor: Cursor, texts: Texts) -> Condition:
    say, head, about = texts.say, station.feed.head, {"name": cursor.name}
    start = say(
        "Start it; or, if it is gone for ever, delete its cursor with 'draem log cursors --drop'."
    )
    if cursor.silent_s > SILENT_S:
        problem = say(
            "{name} has not reported for {seconds} s.", seconds=round(cursor.silent_s), **about
        )
        return Condition("bridge", "bad", say("not running"), problem, start)
    if cursor.stream_id != head.stream_id:
        problem = say("{name} reads another log.", **about)
        return Condition(
            "bridge", "warning", say("another log"), problem, say("Restart the bridge.")
        )
    behind = max(0, head.seq - cursor.seq)
    word = texts.say_count("{count} event behind", "{count} events behind", behind)
    if behind > BEHIND:
        problem = say("{name} is far behind.", **about)
        return Condition("bridge", "bad", word, problem, say("See the bridge's log."))
    return Condition(
        "bridge", "good", say("{name} at {number}", number=texts.number(cursor.seq), **about)
    )


def _weight(condition: Condition) -> int:
    return ("good", "unknown", "warning", "bad").index(condition.level)


def _disk(station: LiveStation, texts: Texts) -> Iterator[Condition]:
    """Only where the station's data is on this machine."""
    folder, free = station.addresses.data, station.health.answers.free_bytes
    if free is None:
        return
    word = texts.say("{size} GB free", size=texts.number(free / 1e9, 1))
    if free > LITTLE_BYTES:
        yield Condition("disk", "good", word)
        return
    level: Level = "bad" if free < TOO_LITTLE_BYTES else "warning"
    problem = texts.say("Little space is left in {folder}.", folder=folder)
    yield Condition("disk", level, word, problem, texts.say("Free space on the station's disk."))
