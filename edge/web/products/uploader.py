"""Quasar's uploader, sending to routes of this room: NiceGUI's own has no limits."""

from collections.abc import Awaitable, Callable

from nicegui import events, ui

from edge.web.page import guarded
from edge.web.viewer import Viewer

PICTURES = ".png,.jpg,.jpeg,.bmp,.tif,.tiff"


def uploader(
    viewer: Viewer,
    label: str,
    address: str,
    accept: str,
    finished: Callable[[], Awaitable[object]],
    *,
    multiple: bool = True,
) -> ui.element:
    """Sends files at once, each in a request of its own; `finished` is called after the last."""
    say = viewer.texts.say
    made = ui.element("q-uploader").classes("uploader")
    made.props(f'url="{address}" accept="{accept}" auto-upload flat bordered field-name="file"')
    made.props("multiple" if multiple else "")
    made._props["label"] = label
    made.on("finish", guarded(viewer, finished), args=[])

    def refused(_: events.GenericEventArguments) -> None:
        text = say("this kind of file is not taken here: {kinds}", kinds=accept)
        ui.notify(text, type="warning")

    def failed(event: events.GenericEventArguments) -> None:
        text = str(event.args or "")[:500] or say("the file did not arrive: send it again")
        ui.notify(text, type="negative", multi_line=True, timeout=0, close_button="OK")

    made.on("rejected", refused, args=[])
    made.on("failed", failed, js_handler="(info) => emit(info.xhr.responseText)")
    return made


def import_uploader(viewer: Viewer) -> None:
    """For a release's file; its import appears as a job."""

    async def finished() -> None:
        ui.navigate.reload()

    label = viewer.texts.say("A file NAME-VERSION.draem")
    uploader(viewer, label, "/products/import", ".draem", finished, multiple=False)
