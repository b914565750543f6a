"""What a subscriber should know beside the events: gaps, silence, another log."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.event import Heartbeat

log = logging.getLogger(__name__)

NoticeKind = Literal[
    "heartbeat", "repeat", "gap", "gone", "skipped", "new-stream", "unanswered", "stale", "back"
]
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
    """As `log_notice`, but what is said again and again is said once, until something else is."""
    last = ""

    def notify(notice: Notice) -> None:
        nonlocal last
        if notice.kind != last or notice.kind not in ("unanswered", "stale"):
            log_notice(notice)
        if notice.kind != "heartbeat":
            last = "unanswered" if notice.kind == "stale" else notice.kind

    return notify


def log_notice(notice: Notice) -> None:
    """What is done with notices unless somebody asks for them."""
    log.log(LEVELS.get(notice.kind, logging.WARNING), "%s", notice.text)
