"""What a subscriber should know beside the events: gaps, silence, another log."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.events.event import Heartbeat

log = logging.getLogger(__name__)

NoticeKind = Literal[
    "heartbeat", "repeat", "gap", "gone", "skipped", "new-stream", "unanswered", "stale", "back"
]
LASTING, AGAIN_S = ("gap", "unanswered", "stale"), 60.0
LEVELS = {"heartbeat": logging.DEBUG, "repeat": logging.DEBUG, "gap": logging.INFO}


@dataclass(frozen=True)
class Notice:
    """Something that is no event.

    `gap`: events were missed, and are asked for. `gone`: events were trimmed before they could be.
    `skipped`: events are too old for whoever asked for the newest alone.
    `unanswered`: the log cannot be asked; it is asked again. `repeat`: an event came again, and was
    left out. `new-stream`: the log was begun anew. `stale`: the line is silent; `back`: no longer.
    `heartbeat` carries the line's state.
    """

    kind: NoticeKind
    text: str
    heartbeat: Heartbeat | None = None


Notify = Callable[[Notice], None]


def log_once() -> Notify:
    """As `log_notice`, but what an outage says again and again is said once a minute."""
    said: dict[str, float] = {}

    def notify(notice: Notice) -> None:
        now = time.monotonic()
        if notice.kind == "back":
            said.clear()
        if notice.kind in LASTING and now - said.get(notice.kind, -math.inf) < AGAIN_S:
            return
        said[notice.kind] = now
        log_notice(notice)

    return notify


def log_notice(notice: Notice) -> None:
    """What is done with notices unless somebody asks for them."""
    log.log(LEVELS.get(notice.kind, logging.WARNING), "%s", notice.text)
