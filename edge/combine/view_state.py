"""How each view is, from its heartbeats: for the heartbeat of the joined stream."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.combine.products import Products, common_version
from edge.events.codes import Code
from edge.events.event import Heartbeat
from edge.events.logged_writer import Standing
from edge.events.notices import Notice

PERIODS = 2  # after so many missing heartbeats a view is silent, as for a bridge


@dataclass
class ViewState:
    """One view; `since` is when this process began to listen, or last heard a heartbeat."""

    name: str
    since: float
    beat: Heartbeat | None = None
    unanswered: bool = False

    def notice(self, notice: Notice, at: float) -> None:
        """What its subscriber has noticed."""
        if notice.heartbeat is not None:
            self.beat, self.since = notice.heartbeat, at
        elif notice.kind in ("unanswered", "answered"):
            self.unanswered = notice.kind == "unanswered"

    def problem(self, now: float) -> tuple[Code, str] | None:
        """Why it gives no verdicts, if it gives none; a pause is no problem."""
        beat, silent_s = self.beat, now - self.since
        if beat is None:
            return (
                Code.VIEW_LOST,
                f"view {self.name} was not heard yet: start it, or correct --view",
            )
        if silent_s > PERIODS * beat.every_ms / 1000:
            text = f"view {self.name} is silent: it hangs, is down or disconnected"
            return Code.VIEW_LOST, text
        if self.unanswered:
            return Code.VIEW_LOST, f"view {self.name}: its log does not answer"
        if beat.state == "fault":
            text = f"view {self.name}: {beat.code.name} {beat.message}".rstrip()
            return Code.VIEW_FAULT, text
        return None


def standing(views: Sequence[ViewState], products: Products, now: float) -> Standing:
    """What the joined stream's heartbeat says: all views that are wrong are named."""
    beats = {view.name: view.beat for view in views if view.beat is not None}
    found = {name: beat.product for name, beat in beats.items()}
    label = products.label(found)
    version = common_version(beat.version for beat in beats.values())
    problems = [problem for view in views if (problem := view.problem(now))]
    if problems:
        text = "; ".join(text for _, text in problems)
        return Standing("running", label, version, problems[0][0], text)
    if products.name(found) is None:
        which = ", ".join(f"{name} {product}" for name, product in found.items())
        text = f"the views judge different products ({which}): switch one of them, or add a product"
        return Standing("running", label, version, Code.VIEWS_DIFFER, text)
    paused = [name for name, beat in beats.items() if beat.state == "paused"]
    text = f"paused: view {', '.join(paused)}" if paused else ""
    return Standing("paused" if paused else "running", label, version, message=text)
