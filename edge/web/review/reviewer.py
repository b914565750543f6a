"""The review's screen: a large picture, one key a label; the next pictures are loaded early."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import KeyEventArguments
from starlette.concurrency import run_in_threadpool

from edge.archive.archive import Archive
from edge.archive.labels import Given
from edge.archive.query import Label
from edge.archive.review_queue import Item
from edge.base.errors import DraemError
from edge.web.history.labelling import give, take_back
from edge.web.history.picture import PictureView
from edge.web.page import guarded
from edge.web.review.panel import KIND, Panel
from edge.web.review.session import ReviewSession
from edge.web.viewer import Viewer

AHEAD = 3
LABEL_KEYS: dict[str, Label] = {"f": "false-reject", "m": "missed", "g": "good", "u": "unsure"}


class Reviewer:
    """The screen of one review: it follows the session at once, labels are stored after that."""

    def __init__(
        self,
        viewer: Viewer,
        archive: Archive,
        session: ReviewSession,
        kinds: Sequence[str],
        after: str,
    ) -> None:
        """`after` is the address of what follows the review."""
        self._viewer, self._archive, self._session = viewer, archive, session
        self._kinds, self._after = list(kinds), after
        self._regions: dict[str, list[dict[str, Any]]] = {}
        self._storing = asyncio.Lock()
        self._awaits_kind = False

    async def build(self) -> None:
        """Make the screen, and show the first part."""
        with ui.element("div").classes("review"):
            with ui.element("section").classes("card review-picture"):
                self._view = PictureView(self._viewer.texts)
            self._panel = Panel(self._viewer, self._kinds, self._do, self._after)
        with ui.element("div").classes("review-ahead").props("aria-hidden=true"):
            self._ahead = [ui.element("img").props('alt=""') for _ in range(2 * AHEAD)]
        ui.keyboard(self._on_key, repeating=False, ignore=["input", "select", "textarea"])
        await self._show()

    async def _on_key(self, event: KeyEventArguments) -> None:
        held = event.modifiers
        if event.action.keydown and not (held.ctrl or held.alt or held.meta):
            await self._do(event.key.name)

    async def _do(self, key: str) -> None:
        await guarded(self._viewer, lambda: self._act(key if KIND in key else key.lower()))()

    async def _act(self, key: str) -> None:
        """What a key does; buttons name the key that they stand for."""
        was_kind, self._awaits_kind = self._awaits_kind, False
        if was_kind and key.isdecimal() and 0 < int(key) <= len(self._kinds):
            await self._label("defect", self._kinds[int(key) - 1])
        elif key.startswith(KIND):
            await self._label("defect", key.removeprefix(KIND))
        elif key == "d":
            self._awaits_kind = self._session.item is not None
        elif key in LABEL_KEYS:
            await self._label(LABEL_KEYS[key], None)
        elif key in ("arrowright", "arrowleft"):
            self._session.step(1 if key == "arrowright" else -1)
            await self._show()
        elif key == "z":
            await self._undo()
        elif key in ("o", "h"):
            self._switch(key)
        self._panel.ask_kind(self._awaits_kind)

    def _switch(self, key: str) -> None:
        if key == "o":
            self._view.outlines = not self._view.outlines
        else:
            self._view.mask = not self._view.mask
        self._view.draw()

    async def _label(self, label: Label, kind: str | None) -> None:
        """The next part is shown before the label is stored; a failure comes back to its part."""
        item = self._session.item
        if item is None:
            return
        if why := self._panel.why_not(label, item):
            ui.notify(why, type="warning")
            return
        self._session.label(label, kind)
        await self._show()
        try:
            async with self._storing:
                await give(
                    self._viewer, item.part.key, Given(label, self._viewer.account.name, kind)
                )
        except DraemError:
            self._session.take_back(item)
            await self._show()
            raise

    async def _undo(self) -> None:
        """The label is withdrawn first: what is shown as undone is undone."""
        async with self._storing:
            item = self._session.last()
            if item is None:
                ui.notify(self._viewer.texts.say("There is nothing to undo."))
                return
            await take_back(self._viewer, item.part.key)
            self._session.undo()
        await self._show()

    async def _show(self) -> None:
        item = self._session.item
        self._panel.show(self._session)
        if item is not None:
            regions = await self._regions_of(item)
            if self._session.item is item:  # no key came meanwhile
                self._view.show(item.part, regions)
        self._load_ahead()
        for coming in self._session.next_ones(AHEAD):
            await self._regions_of(coming)

    async def _regions_of(self, item: Item) -> Sequence[Mapping[str, Any]]:
        key = item.part.key
        if key not in self._regions:
            self._regions[key] = await run_in_threadpool(self._archive.regions, key)
        return self._regions[key]

    def _load_ahead(self) -> None:
        parts = [item.part for item in self._session.next_ones(AHEAD)]
        digests = [d for part in parts for d in (part.picture, part.mask) if d is not None]
        for image, digest in zip(self._ahead, digests, strict=False):
            image.props["src"] = f"/pictures/{digest}"
