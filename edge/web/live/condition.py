"""One thing at a station that can be well or not."""

from dataclasses import dataclass
from typing import Literal

from edge.web.live.station_feed import Level
from edge.web.texts import Texts, mark

What = Literal["line", "camera", "log", "drift", "archive", "disk", "bridge"]
NAMES: dict[What, str] = {
    "line": mark("Line"),
    "camera": mark("Camera"),
    "log": mark("Log"),
    "drift": mark("Drift"),
    "archive": mark("Archive"),
    "disk": mark("Disk"),
    "bridge": mark("PLC bridge"),
}


@dataclass(frozen=True)
class Condition:
    """One thing that can be well or not; `problem` and `fix` are empty where it is well."""

    what: What
    level: Level | Literal["unknown"]
    word: str
    problem: str = ""
    fix: str = ""


def unknown(what: What, texts: Texts) -> Condition:
    """Something that the station was not asked yet, or does not answer."""
    return Condition(what, "unknown", texts.say("not known"))
