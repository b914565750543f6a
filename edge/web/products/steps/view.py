"""Crop and regions: which part of the frame is inspected, drawn on a picture or typed."""

from pathlib import Path
from urllib.parse import quote

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.base.errors import ImageError
from edge.vision.geometry import GeometryError
from edge.vision.image_files import read_image
from edge.vision.polygon import Polygon, polygon_error
from edge.web.attributes import attributes
from edge.web.products.context import Context, heading
from edge.web.products.draft import STATION_GEOMETRY
from edge.web.products.steps.drawing import Drawing

LEAST_SIDE = 32  # pixels of a crop


async def view_step(context: Context) -> None:
    """A picture to draw on, and the same as numbers."""
    say, draft = context.viewer.texts.say, context.bench.draft
    names = await run_in_threadpool(context.pictures.names)
    if not names:
        ui.label(say("There are no pictures yet.")).classes("muted")
        return
    name = names[len(names) // 2]
    size = await run_in_threadpool(_size_of, context.pictures.path(name))
    drawing = Drawing(size, draft.crop, dict(draft.regions))
    with ui.element("section").classes("card"):
        ui.label(say("Optional: without a crop the whole frame is inspected."))
        with ui.element("div").classes("row-wrap"):
            kinds = {False: say("Crop: drag a rectangle"), True: say("Region: tap its corners")}
            mode = ui.toggle(kinds, value=False).props("no-caps")
            mode.on_value_change(lambda event: setattr(drawing, "draws_region", bool(event.value)))
        address = f"/products/{context.name}/pictures/{quote(name)}"
        with ui.element("div").classes("drawing-box"):
            drawing.show(address, say("A picture of the part"))
    form = _Form(context, drawing, corrected=draft.corrected)
    drawing.changed = form.show
    form.build()
    form.show()


def _size_of(path: Path) -> tuple[int, int]:
    height, width = read_image(path).shape[:2]
    return width, height


class _Form:
    """The numbers of what is drawn; typing changes the drawing too."""

    def __init__(self, context: Context, drawing: Drawing, *, corrected: bool) -> None:
        self._context, self._drawing, self._corrected = context, drawing, corrected
        self._fills = False  # while fields are filled by the drawing, they do not change it

    def build(self) -> None:
        """The fields and buttons."""
        say = self._context.viewer.texts.say
        labels = (say("x"), say("y"), say("width"), say("height"))
        with ui.element("section").classes("card"):
            heading(say("Crop in pixels of the frame"))
            with ui.element("div").classes("row-wrap"):
                self._numbers = [ui.number(label, min=0, precision=0) for label in labels]
                for field in self._numbers:
                    field.classes("short").on_value_change(self._typed)
                ui.button(say("Whole frame"), on_click=self._whole).props("outline")
        with ui.element("section").classes("card"):
            heading(say("Regions of interest"))
            text = say("Each region has its own threshold; outside of all nothing counts.")
            ui.label(text).classes("muted")
            with ui.element("div").classes("row-wrap"):
                self._name = ui.input(say("Name of the region"), value=self._free_name())
                ui.button(say("Close the region"), icon="check", on_click=self._close).props(
                    "outline"
                )
                ui.button(say("Undo a corner"), icon="undo", on_click=self._undo).props("outline")
            self._regions = ui.element("div").classes("regions")
        with ui.element("section").classes("card"):
            if STATION_GEOMETRY.is_file():
                box = ui.checkbox(
                    say("Correct lens and tilt by geometry.json"), value=self._corrected
                )
                box.on_value_change(lambda event: setattr(self, "_corrected", bool(event.value)))
            self._context.button(say("Keep and go on"), self._keep, icon="check", main=True)

    def show(self) -> None:
        """Fill the fields from the drawing."""
        self._fills = True
        for field, value in zip(self._numbers, self._drawing.crop or [None] * 4, strict=True):
            field.value = value
        self._fills = False
        self._regions.clear()
        with self._regions:
            for name, polygon in self._drawing.regions.items():
                self._region(name, polygon)

    def _typed(self) -> None:
        values = [field.value for field in self._numbers]
        if self._fills or any(value is None for value in values):
            return
        x, y, width, height = (int(value) for value in values)
        self._drawing.crop = (x, y, width, height)
        self._drawing.draw()

    def _whole(self) -> None:
        self._drawing.crop = None
        self._drawing.draw()
        self.show()

    def _region(self, name: str, polygon: Polygon) -> None:
        say = self._context.viewer.texts.say
        with ui.element("div").classes("row-wrap"):
            ui.label(name).classes("region-name")
            text = ",".join(f"{value:g}" for corner in polygon for value in corner)
            field = ui.input(say("Corners of {name}", name=name), value=text).classes("wide-field")
            field.on("blur", lambda: self._retype(name, str(field.value)), args=[])
            label = say("Remove the region {name}", name=name)
            remove = ui.button(icon="delete", on_click=lambda: self._remove(name)).props("outline")
            attributes(remove, aria_label=label)

    def _retype(self, name: str, text: str) -> None:
        try:
            numbers = [float(part) for part in text.split(",")]
            polygon = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        except ValueError:
            ui.notify(self._context.viewer.texts.say("write x,y,x,y,x,y in pixels"), type="warning")
            return
        if polygon != self._drawing.regions.get(name):
            self._drawing.regions[name] = polygon
            self._drawing.draw()

    def _remove(self, name: str) -> None:
        del self._drawing.regions[name]
        self._drawing.draw()
        self.show()

    def _undo(self) -> None:
        del self._drawing.corners[-1:]
        self._drawing.draw()

    def _free_name(self) -> str:
        names = (f"region-{number}" for number in range(1, len(self._drawing.regions) + 2))
        return next(name for name in names if name not in self._drawing.regions)

    def _close(self) -> None:
        polygon = tuple(self._drawing.corners)
        name = str(self._name.value or "").strip()
        within = self._drawing.crop or (0, 0, *self._drawing.size)
        if error := polygon_error(polygon, within):
            ui.notify(error, type="warning")
            return
        self._drawing.regions[name] = polygon
        self._drawing.corners.clear()
        self._name.value = self._free_name()
        self._drawing.draw()
        self.show()

    async def _keep(self) -> None:
        drawing = self._drawing
        width, height = drawing.size
        if drawing.crop is not None:
            x, y, wide, high = drawing.crop
            if wide < LEAST_SIDE or high < LEAST_SIDE or x + wide > width or y + high > height:
                raise ImageError(
                    f"the crop must have {LEAST_SIDE} pixels a side and lie inside the frame of "
                    f"{width}x{height}"
                )
        for name, polygon in drawing.regions.items():
            if error := polygon_error(polygon, drawing.crop or (0, 0, width, height)):
                raise GeometryError(f"the region {name} {error}")
        await self._context.keep(
            crop=drawing.crop, regions=drawing.regions, corrected=self._corrected, viewed=True
        )
        ui.navigate.to(f"/products/{self._context.name}?step=train")
