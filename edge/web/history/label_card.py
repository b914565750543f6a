"""The labels of a part: their history, and a form to give one."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from edge.archive.labels import Given, standing
from edge.archive.query import Label
from edge.web.accounts.roles import Role
from edge.web.history.labelling import give, kind_dialog, take_back
from edge.web.history.meanings import LABELS, label_text
from edge.web.history.part_data import PartData
from edge.web.page import guarded
from edge.web.plain_table import plain_table
from edge.web.viewer import Viewer


def possible_labels(verdict: str) -> tuple[Label, ...]:
    """What a part with this verdict can be: only an OK part was missed, only others rejected."""
    if verdict == "OK":
        return ("missed", "good", "unsure")
    return ("false-reject", "unsure")


class LabelCard:
    """Labels of one part. `changed` reads the part again."""

    def __init__(
        self, viewer: Viewer, data: PartData, changed: Callable[[], Awaitable[None]]
    ) -> None:
        self._viewer, self._data, self._changed = viewer, data, changed

    def build(self) -> None:
        """Make it."""
        texts = self._viewer.texts
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(texts.say("Labels"))
            if self._data.labels:
                self._history()
            else:
                ui.label(texts.say("Nobody has labelled this part.")).classes("muted")
            if self._viewer.may(Role.OPERATOR):
                self._form()
            else:
                text = texts.say("The role operator gives labels.")
                ui.label(text).classes("muted")

    def _history(self) -> None:
        texts, say = self._viewer.texts, self._viewer.texts.say
        counting = standing(self._data.labels)
        rows = [
            [
                texts.moment(given.at) if given.at else "",
                given.who,
                label_text(texts, given.label, given.kind),
                given.remark,
            ]
            for given in self._data.labels
        ]
        titles = [say("When"), say("Who"), say("Label"), say("Remark")]
        present = self._data.labels.index(counting[-1]) if counting else None
        plain_table(say("Labels"), titles, rows, present=present)

    def _form(self) -> None:
        viewer, say = self._viewer, self._viewer.texts.say
        remark = ui.input(say("Remark")).props("outlined dense maxlength=500").classes("filter")
        with ui.element("div").classes("part-actions"):
            self._kind = ui.select(list(self._data.kinds), label=say("Kind of defect"))
            self._kind.props("outlined dense").classes("kind-choice")
            defect = guarded(viewer, lambda: self._give("defect", remark.value))
            ui.button(say("Defect"), on_click=defect).bind_enabled_from(
                self._kind, "value", backward=bool
            )
            for label in possible_labels(self._data.part.verdict):
                self._label_button(label, remark)
        with ui.element("div").classes("part-actions"):
            if any(g.who == viewer.account.name for g in standing(self._data.labels)):
                back = guarded(viewer, self._take_back)
                ui.button(say("Take my label back"), icon="undo", on_click=back).props("flat")
            if viewer.may(Role.ENGINEER):
                dialog = kind_dialog(viewer, self._added)
                add = ui.button(say("New kind of defect"), icon="add", on_click=dialog.open)
                add.props("flat")
        if not self._data.kinds:
            ui.label(say("The plant has no kinds of defects yet: an engineer adds them."))

    def _label_button(self, label: Label, remark: ui.input) -> None:
        give_it = guarded(self._viewer, lambda: self._give(label, remark.value))
        ui.button(self._viewer.texts.say(LABELS[label]), on_click=give_it).props("outline")

    async def _give(self, label: Label, remark: str) -> None:
        kind = self._kind.value if label == "defect" else None
        given = Given(label, self._viewer.account.name, kind, remark)
        await give(self._viewer, self._data.part.key, given)
        await self._changed()

    async def _take_back(self) -> None:
        await take_back(self._viewer, self._data.part.key)
        await self._changed()

    async def _added(self, kind: str) -> None:
        self._kind.set_options([*self._data.kinds, kind], value=kind)
