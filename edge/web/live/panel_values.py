"""What is sent to the browser: the newest part and the newest picture, in the reader's words."""

import time
from typing import Any

from edge.events.event import Inspection
from edge.web.codes import cause
from edge.web.live.live_station import LiveStation
from edge.web.live.outlines import outlines
from edge.web.live.picture_feed import Picture
from edge.web.live.station_feed import captured
from edge.web.parts import ICONS, WORDS
from edge.web.texts import Texts

OLD_S = 5.0  # a verdict without a new part, or a picture while parts come
EVENT_S = 0.5  # a picture may come before its event
STATE_ICONS = {"no connection": "cloud_off", "paused": "pause_circle", "hung": "hourglass_disabled"}
Values = dict[str, Any]


def values(station: LiveStation, texts: Texts) -> Values:
    """Verdict and score; where the line does not run, its state is in their place."""
    state, part = station.state(), station.feed.newest
    newest_ng = station.feed.newest_ng
    reject = f"{newest_ng.stream_id}:{newest_ng.seq}" if newest_ng else ""
    if state.level != "good":
        icon = STATE_ICONS.get(state.word, "error")
        return {
            "stale": True, "word": texts.say(state.word), "why": state.message, "icon": icon,
            "classes": f"state-{state.level}", "part": _part(part, texts) if part else "",
            "veil": texts.say(state.word), "reject": reject,
        }  # fmt: skip
    if part is None:
        word, why = texts.say("waiting"), texts.say("No part has come yet.")
        return {"word": word, "why": why, "icon": "hourglass_empty", "reject": reject}
    return {**_judged(station, part, texts), "reject": reject}


def _judged(station: LiveStation, part: Inspection, texts: Texts) -> Values:
    age = time.monotonic() - station.feed.newest_at
    old = texts.say("no new part for {seconds} s", seconds=int(age)) if age > OLD_S else ""
    made: Values = {
        "stale": age > OLD_S,
        "word": texts.say(WORDS[part.verdict]),
        "why": reason(part, texts),
        "icon": ICONS[part.verdict],
        "classes": f"verdict-{part.verdict}",
        "part": _part(part, texts),
        "age": old,
        "veil": old or _picture_age(station, part, texts),
    }
    if part.score is not None and part.threshold:
        made["fill"] = max(0.0, min(1.0, part.score / part.threshold / 2))
        made["barClass"] = f"live-bar-{part.verdict}"
        made["scoreText"] = texts.say(
            "score {score}, threshold {threshold}",
            score=texts.number(part.score, 3), threshold=texts.number(part.threshold, 3),
        )  # fmt: skip
    return made


def _picture_age(station: LiveStation, part: Inspection, texts: Texts) -> str:
    """What to say over a picture that is not that of a recent part; empty where it is."""
    if part.picture is False:
        return texts.say("no picture of this part")
    if station.pictures.newest is None:
        return texts.say("waiting for a picture")
    age = station.feed.newest_at - station.pictures.newest_at
    return texts.say("picture of {seconds} s ago", seconds=int(age)) if age > OLD_S else ""


def _part(part: Inspection, texts: Texts) -> str:
    return texts.say("{part}, {time}", part=part_name(part, texts), time=texts.time(captured(part)))


def part_name(part: Inspection, texts: Texts) -> str:
    """The part's own id, or the number of its inspection."""
    return part.part_id or texts.say("part {number}", number=part.inspection_id)


def reason(part: Inspection, texts: Texts) -> str:
    """Why a part is not OK."""
    if part.verdict == "NO_VERDICT":
        return cause(texts, part.code.name)
    if part.verdict == "OK":
        return ""
    defects = texts.say_count("{count} defect", "{count} defects", len(part.regions))
    return f"{defects}, {part.roi}" if part.roi else defects


def picture_values(station: LiveStation, texts: Texts, *, small: bool) -> Values | None:
    """The newest picture with what belongs to it; None for a moment while its event may come.

    Without its event it has no outlines.
    """
    picture = station.pictures.newest
    if picture is None:
        return None
    event = station.feed.event(picture.key)
    if event is None and time.monotonic() < station.pictures.newest_at + EVENT_S:
        return None
    part = event.header if event is not None else None
    header, frame = picture.header, picture.frame
    width, height = frame or picture.shown
    word = texts.say(WORDS[header.verdict])
    name = part_name(part, texts) if isinstance(part, Inspection) else str(header.inspection_id)
    return {
        "key": f"{header.stream_id}:{header.seq}",
        "url": picture_address(station, picture, "small" if small else "picture"),
        "heat": picture_address(station, picture, "heat") if _fits(picture) else "",
        "place": _place(picture),
        "outline": outlines(event) if event and frame and not small else "",
        "width": width,
        "height": height,
        "label": texts.say("Picture: {part}, {verdict}", part=name, verdict=word),
        "classes": f"live-frame-{header.verdict}",
    }


def picture_address(station: LiveStation, picture: Picture, kind: str) -> str:
    """Where a browser gets a live picture: `picture`, `heat` or `small`."""
    return f"/live/{station.name}/{kind}/{picture.key.stream_id}/{picture.key.seq}"


def _fits(picture: Picture) -> bool:
    """Whether there is a heatmap that lies on the frame: not one without lens distortion."""
    where = picture.header.mask
    return bool(picture.heat and picture.frame) and not (where and where.corrected)


def _place(picture: Picture) -> dict[str, str]:
    """Where the heatmap lies on the picture, in CSS."""
    where, frame = picture.header.mask, picture.frame
    if where is None or frame is None:
        return {"left": "0", "top": "0", "width": "100%", "height": "100%"}
    x, y, width, height = where.crop
    parts = {"left": x / frame[0], "top": y / frame[1]}
    parts |= {"width": width / frame[0], "height": height / frame[1]}
    return {name: f"{100 * part:.2f}%" for name, part in parts.items()}
