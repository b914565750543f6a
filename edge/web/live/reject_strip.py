"""The last rejects as small pictures; each opens its large picture."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from edge.web.live.last_rejects import Reject, changed, last_rejects
from edge.web.live.live_station import LiveStation
from edge.web.live.reject_dialog import RejectDialog
from edge.web.live.station_feed import REJECTS
from edge.web.page import guarded
from edge.web.parts import VerdictBadge
from edge.web.viewer import Viewer


class RejectStrip:
    """REJECTS slots, made once. A new reject takes the slot of the oldest, moved to the front."""

    def __init__(self, station: LiveStation, viewer: Viewer) -> None:
        self._station, self._texts = station, viewer.texts
        self._shown: list[Reject] = []
        say = viewer.texts.say
        with ui.element("section").classes("card live-rejects"):
            with ui.element("h2"):
                ui.label(say("Last rejects"))
            self._none = ui.label(say("none")).classes("muted")
            with ui.element("div").classes("live-strip") as self._row:
                self._slots = [_Slot(viewer, self._open) for _ in range(REJECTS)]
        self._dialog = RejectDialog(viewer)

    def draw(self) -> None:
        """Show what is new."""
        now = last_rejects(self._station, self._texts)
        if now == self._shown:
            return
        wanted = {one.id for one in now}
        by_id = {slot.id: slot for slot in self._slots if slot.id in wanted}
        free = [slot for slot in self._slots if slot.id not in wanted]
        for one in changed(self._shown, now):
            slot = by_id.get(one.id) or free.pop()
            by_id[one.id] = slot
            slot.show(one)
            self._dialog.refresh(one)
        for slot in free:
            slot.hide()
        self._arrange([by_id[one.id] for one in now] + free)
        self._none.visible, self._shown = not now, now

    def _arrange(self, order: list["_Slot"]) -> None:
        """Move the boxes in the page too: keyboards and readers follow its order."""
        boxes = [slot.box for slot in order]
        children = self._row.default_slot.children
        if children != boxes:
            children[:] = boxes
            self._row.update()

    async def _open(self, reject_id: str) -> None:
        for one in self._shown:
            if one.id == reject_id:
                self._dialog.open(one)


class _Slot:
    """One small picture with time and reason; empty and hidden until a reject is shown."""

    def __init__(self, viewer: Viewer, opened: Callable[[str], Awaitable[None]]) -> None:
        self._texts, self.id = viewer.texts, ""
        with ui.element("button").classes("live-reject").props("type=button") as self.box:
            self._picture = ui.element("img").props('alt=""')
            self._no_picture = ui.label(viewer.texts.say("no picture")).classes("live-no-picture")
            self._badge = VerdictBadge(viewer.texts)
            self._time = ui.label().classes("number")
            self._reason = ui.label().classes("live-why")
        self.box.on("click", guarded(viewer, lambda: opened(self.id)), args=[])
        self.box.visible = False

    def show(self, reject: Reject) -> None:
        """Show this one from now on."""
        self.id = reject.id
        if self._picture.props.get("src") != reject.small:
            self._picture.props["src"] = reject.small
        self._picture.visible, self._no_picture.visible = bool(reject.small), not reject.small
        self._badge.show(reject.verdict)
        self._time.text = self._texts.time(reject.at)
        self._reason.text = reject.reason
        self.box.visible = True

    def hide(self) -> None:
        """Show nothing."""
        self.id, self.box.visible = "", False
