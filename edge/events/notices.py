"""What a subscriber reports beside the events: gaps, silence, another log."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.events.event import Heartbeat

log = logging.getLogger(__name__)

NoticeKind = Literal[
    "heartbeat",
    "repeat",
    "gap",
    "gone",
    "skipped",
    "new-stream",
    "unanswered",
    "answered",
    "stale",
    "back",
]
RATE_LIMITED, INTERVAL_S = ("gap", "unanswered", "answered", "stale"), 60.0
LEVELS = {
    "heartbeat": logging.DEBUG,
    "repeat": logging.DEBUG,
    "gap": logging.INFO,
    "answered": logging.INFO,
}


@dataclass(frozen=True)
class Notice:
    """Something that is not an event.

    `gap`: events were missed, and are requested. `gone`: they were deleted before that.
    `skipped`: they are too old for a subscriber that wants only the newest. `unanswered`: the log
    does not answer; requests are repeated. `answered`: it does again, and nothing is missing now.
    `repeat`: an event came again, and was ignored.
    `new-stream`: another log. `stale`: the line is silent; `back`: no longer. `heartbeat`: the
    line's state.
    """

    kind: NoticeKind
    text: str
    heartbeat: Heartbeat | None = None


Notify = Callable[[Notice], None]


def log_once() -> Notify:
    """A `Notify` that logs; what an outage repeats is logged once a minute."""
    logged_at: dict[str, float] = {}

    def notify(notice: Notice) -> None:
        now = time.monotonic()
        if notice.kind == "back":
            logged_at.clear()
        last = logged_at.get(notice.kind, -math.inf)
        if notice.kind in RATE_LIMITED and now - last < INTERVAL_S:
            return
        logged_at[notice.kind] = now
        log.log(LEVELS.get(notice.kind, logging.WARNING), "%s", notice.text)

    return notify
