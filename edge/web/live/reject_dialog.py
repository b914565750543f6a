"""The large picture of a reject."""

from nicegui import ui
from nicegui.events import GenericEventArguments

from edge.web.live.last_rejects import Reject
from edge.web.parts import VerdictBadge
from edge.web.viewer import Viewer

SIZE = "(e) => emit(e.target.naturalWidth, e.target.naturalHeight)"


class RejectDialog:
    """Made once; opened for one reject after the other."""

    def __init__(self, viewer: Viewer) -> None:
        self._texts, self._shown = viewer.texts, ""
        self._frame: tuple[int, int] | None = None
        say = viewer.texts.say
        with ui.dialog() as self._dialog, ui.element("div").classes("card live-large"):
            self._dialog.props["aria-label"] = say("Reject")
            with ui.element("div").classes("row-wrap"):
                self._badge = VerdictBadge(viewer.texts)
                self._name = ui.label().classes("number")
                self._time = ui.label().classes("number muted")
            self._reason = ui.label()
            self._score = ui.label().classes("number")
            with ui.element("div").classes("live-large-picture"):
                self._picture = ui.element("img").props('alt=""')
                self._picture.on("load", self._take_size, js_handler=SIZE)
                with ui.element("svg").classes("live-outline") as self._over:
                    self._over.props("aria-hidden=true")
                    self._paths = [ui.element("path").classes("live-halo"), ui.element("path")]
            self._no_picture = ui.label(say("no picture")).classes("muted")
            with ui.element("div").classes("row-wrap"):
                self._link = ui.link(say("All about this part"), "").classes("action-link")
                self._no_link = ui.label(say("not in the archive yet")).classes("muted")
                ui.space()
                ui.button(say("Close"), on_click=self._dialog.close)

    def open(self, reject: Reject) -> None:
        """Show this one."""
        self._show(reject)
        self._dialog.open()

    def refresh(self, reject: Reject) -> None:
        """Show what is new of it, if it is open: its page in the archive, its picture."""
        if self._dialog.value and reject.id == self._shown:
            self._show(reject)

    def _show(self, reject: Reject) -> None:
        self._shown = reject.id
        texts = self._texts
        self._badge.show(reject.verdict)
        self._name.text, self._reason.text = reject.name, reject.reason
        self._time.text = texts.moment(reject.at)
        self._score.visible = reject.score is not None and reject.threshold is not None
        if reject.score is not None and reject.threshold is not None:
            self._score.text = texts.say(
                "score {score}, threshold {threshold}",
                score=texts.number(reject.score, 3), threshold=texts.number(reject.threshold, 3),
            )  # fmt: skip
        self._picture.props["src"], self._picture.visible = reject.large, bool(reject.large)
        self._picture.props["alt"] = f"{reject.name}, {reject.reason}"
        self._draw_outline(reject)
        self._no_picture.visible = not reject.large
        self._link.props["href"], self._link.visible = reject.page, bool(reject.page)
        self._no_link.visible = not reject.page

    def _take_size(self, event: GenericEventArguments) -> None:
        """An archived picture has the size of the frame."""
        if self._frame is None:
            width, height = (int(side) for side in event.args)
            self._over.props["viewBox"] = f"0 0 {width} {height}"

    def _draw_outline(self, reject: Reject) -> None:
        self._frame = reject.frame
        self._over.visible = bool(reject.large and reject.outline)
        if reject.frame is not None:
            self._over.props["viewBox"] = "0 0 {} {}".format(*reject.frame)
        for path in self._paths:
            path.props["d"] = reject.outline
        self._over.update()
