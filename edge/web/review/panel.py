"""Beside the picture: progress, the part's verdict, and a button for each key."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from edge.archive.query import Label
from edge.archive.review_queue import Item
from edge.web.accounts.roles import Role
from edge.web.history.labelling import kind_dialog
from edge.web.history.meanings import LABELS, label_text
from edge.web.history.part_facts import distance_text
from edge.web.history.results import name_of, score_text
from edge.web.parts import VerdictBadge
from edge.web.review.choice import REASONS
from edge.web.review.session import ReviewSession
from edge.web.viewer import Viewer

DIGITS = 9
KIND = "kind:"  # before a kind's name, in the place of a key
Do = Callable[[str], Awaitable[None]]


class Panel:
    """Buttons name the keys that do the same."""

    def __init__(self, viewer: Viewer, kinds: list[str], do: Do, after: str) -> None:
        self._viewer, self._texts, self._kinds, self._do = viewer, viewer.texts, kinds, do
        self._buttons: dict[Label, ui.button] = {}
        say = self._texts.say
        with ui.element("section").classes("card review-panel"):
            self._progress = ui.label().classes("big-number").props("role=status")
            self._bar = ui.linear_progress(0, show_value=False, size="8px")
            self._bar.props["aria-label"] = say("Progress")
            self._part = ui.element("div").classes("review-part")
            with self._part:
                self._verdict = VerdictBadge(self._texts)
                self._score = ui.label().classes("number")
                self._distance = ui.label().classes("number muted")
                self._why = ui.label().classes("muted")
                self._name = ui.label().classes("review-name")
                self._given = ui.label().classes("state-good review-given")
            with ui.element("div") as self._end:
                ui.label(say("The end of the queue: there is nothing more to review here."))
                text = say("See what another threshold would change")
                ui.link(text, after).classes("action-link")
            self._label_buttons()
            with ui.element("div").classes("part-actions"):
                self._button("arrowleft", "←", say("Previous")).props("flat")
                self._button("arrowright", "→", say("Next")).props("flat")
                self._button("z", "z", say("Undo")).props("flat")
                self._button("o", "o", say("Outlines")).props("flat")
                self._mask = self._button("h", "h", say("Mask")).props("flat")

    def _label_buttons(self) -> None:
        say = self._texts.say
        with ui.element("div").classes("review-labels"):
            self._buttons["defect"] = self._button("d", "d", say("Defect")).props("outline")
            for key, label in (
                ("f", "false-reject"),
                ("m", "missed"),
                ("g", "good"),
                ("u", "unsure"),
            ):
                made = self._button(key, key, say(LABELS[label])).props("outline")
                self._buttons[label] = made  # type: ignore[index]
        self._kind_box = ui.element("div").classes("review-kinds")
        self._draw_kinds()
        self.ask_kind(False)

    def _button(self, key: str, shown: str, title: str) -> ui.button:
        made = ui.button(on_click=lambda: self._do(key)).classes("review-button")
        with made:
            with ui.element("kbd"):
                ui.label(shown)
            ui.label(title).classes("block")
        return made

    def _draw_kinds(self) -> None:
        say = self._texts.say
        self._kind_box.clear()
        with self._kind_box:
            ui.label(say("Which kind of defect?"))
            for number, kind in enumerate(self._kinds, 1):
                shown = str(number) if number <= DIGITS else " "
                self._button(KIND + kind, shown, kind).props("outline no-caps")
            if not self._kinds:
                ui.label(say("The plant has no kinds of defects yet: an engineer adds them."))
            if self._viewer.may(Role.ENGINEER):
                dialog = kind_dialog(self._viewer, self._added)
                add = ui.button(say("New kind of defect"), icon="add", on_click=dialog.open)
                add.props("flat")

    async def _added(self, kind: str) -> None:
        if kind not in self._kinds:
            self._kinds.append(kind)
        self._draw_kinds()

    def ask_kind(self, is_asked: bool) -> None:
        """Show or hide the kinds, each with its digit."""
        self._kind_box.visible = is_asked
        if is_asked:  # on a low screen they are below its end
            place = f"getHtmlElement({self._kind_box.id})"
            ui.run_javascript(f"{place}.scrollIntoView({{block: 'nearest'}})")

    def why_not(self, label: Label, item: Item) -> str:
        """Why a part cannot have a label; nothing if it can."""
        is_ok = item.part.verdict == "OK"
        if label == "false-reject" and is_ok:
            return self._texts.say("This part was judged OK: it was not rejected.")
        if label in ("missed", "good") and not is_ok:
            return self._texts.say("This part was not judged OK: use 'defect' or 'false reject'.")
        return ""

    def show(self, session: ReviewSession) -> None:
        """The part that the session is at."""
        item, count = session.item, len(session.items)
        self._part.visible, self._end.visible = item is not None, item is None
        at = min(session.at + 1, count)
        self._progress.text = self._texts.say("{at} of {count}", at=at, count=count)
        self._bar.value = session.at / count if count else 1.0
        for label, button in self._buttons.items():
            button.set_enabled(item is not None and not self.why_not(label, item))
        self.ask_kind(False)
        if item is not None:
            self._show_part(item, session)

    def _show_part(self, item: Item, session: ReviewSession) -> None:
        part, texts = item.part, self._texts
        self._verdict.show(part.verdict)
        self._score.text = score_text(texts, part)
        self._distance.text = distance_text(texts, part)
        self._why.text = texts.say(REASONS[item.why]) if item.why in REASONS else ""
        self._name.text = f"{name_of(texts, part)} · {part.station} · {texts.moment(part.at)}"
        label, kind = session.given.get(part.key, (None, None))
        self._given.text = label_text(texts, label, kind)
        self._mask.set_enabled(part.mask is not None)
