"""A box drawn on a picture: which defects to find, by their place in the camera's frame."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import MouseEventArguments

from edge.archive.search import Found
from edge.web.attributes import attributes
from edge.web.page import guarded
from edge.web.parts import picture_address
from edge.web.viewer import Viewer

LEAST = 4  # pixels: less is a tap on a corner, not a drag
EVENTS = ["mousedown", "mouseup"]
Box = tuple[int, int, int, int]


class BoxDialog:
    """Drag over the defect, or tap two corners."""

    def __init__(self, viewer: Viewer, part: Found, use: Callable[[Box], Awaitable[None]]) -> None:
        say = viewer.texts.say
        self._use, self._corner, self._box = use, (0, 0), (0, 0, 0, 0)
        self._is_begun = False
        self._dialog = attributes(ui.dialog(), aria_label=say("Draw a box"))
        with self._dialog, ui.element("div").classes("card box-dialog"):
            ui.label(say("Drag over the place, or tap two corners of it."))
            assert part.picture is not None
            with ui.element("div").classes("picture").props("aria-hidden=true"):
                self._image = ui.interactive_image(
                    picture_address(part.picture), on_mouse=self._on_mouse, events=EVENTS,
                    sanitize=False,
                ).classes("box-image")  # fmt: skip
            with ui.element("div").classes("row-wrap"):
                self._shown = ui.label().classes("number box-shown")
                ui.space()
                ui.button(say("Cancel"), on_click=self._dialog.close).props("flat")
                self._find = ui.button(say("Find"), on_click=guarded(viewer, self._finish))
                self._find.disable()

    def open(self) -> None:
        """Show it."""
        self._dialog.open()

    def _on_mouse(self, event: MouseEventArguments) -> None:
        at = round(event.image_x), round(event.image_y)
        far = max(abs(at[0] - self._corner[0]), abs(at[1] - self._corner[1])) >= LEAST
        if event.type == "mousedown" and not (self._is_begun and far):
            self._corner, self._is_begun = at, True
        elif self._is_begun and far:
            self._draw(at)
            self._is_begun = event.type == "mousedown"
            if event.type == "mouseup":
                self._is_begun = False

    def _draw(self, to: tuple[int, int]) -> None:
        (x1, y1), (x2, y2) = self._corner, to
        x, y = max(0, min(x1, x2)), max(0, min(y1, y2))
        self._box = x, y, max(x1, x2) - x, max(y1, y2) - y
        box = 'x="{}" y="{}" width="{}" height="{}"'.format(*self._box)
        self._image.set_content(f'<rect {box} class="outline-dark"/><rect {box} class="outline"/>')
        self._shown.text = "+".join(str(value) for value in self._box)
        self._find.enable()

    async def _finish(self) -> None:
        self._dialog.close()
        await self._use(self._box)
