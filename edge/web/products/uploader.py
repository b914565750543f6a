"""A field for files that sends them one after the other to a route of this room.

The library's own uploader has no limits on the server, and is not usable with a screen reader.
"""

from collections.abc import Awaitable, Callable

from nicegui import events, ui

from edge.web.attributes import attributes
from edge.web.page import guarded
from edge.web.viewer import Viewer

PICTURES = ".png,.jpg,.jpeg,.bmp,.tif,.tiff"
SEND = """async (event) => {
  const field = event.target, files = [...field.files];
  field.disabled = true;
  for (let sent = 0; sent < files.length; sent++) {
    const body = new FormData();
    body.append("file", files[sent]);
    let error = "";
    try {
      const answer = await fetch("ADDRESS", {method: "POST", body});
      error = answer.ok ? "" : (await answer.text()).slice(0, 500) || answer.statusText;
    } catch (failure) { error = String(failure); }
    emit({sent: sent + 1, total: files.length, error});
  }
  field.value = "";
  field.disabled = false;
}"""


class FileField:
    """Files are sent as soon as they are chosen; `finished` is called after the last."""

    def __init__(
        self,
        viewer: Viewer,
        label: str,
        address: str,
        accept: str,
        finished: Callable[[], Awaitable[object]],
        *,
        multiple: bool = True,
    ) -> None:
        self._viewer, self._finished = viewer, guarded(viewer, finished)
        with ui.element("label").classes("file-field"):
            ui.label(label)
            field = attributes(ui.element("input"), type="file", accept=accept)
            field.props("multiple" if multiple else "")
        field.on("change", self._sent, js_handler=SEND.replace("ADDRESS", address))
        self._bar = ui.linear_progress(0, show_value=False, size="12px")
        attributes(self._bar, aria_label=viewer.texts.say("Progress"))
        self._text = ui.label().classes("number").props("aria-live=polite")
        self._bar.visible = False

    async def _sent(self, event: events.GenericEventArguments) -> None:
        sent, total = int(event.args["sent"]), int(event.args["total"])
        if error := str(event.args["error"]):
            ui.notify(error, type="negative", multi_line=True, timeout=0, close_button="OK")
        self._bar.visible = sent < total
        self._bar.value = sent / max(1, total)
        texts = self._viewer.texts
        values = {"done": texts.number(sent), "total": texts.number(total)}
        self._text.text = texts.say("{done} of {total}", **values)
        if sent == total:
            await self._finished()


def import_field(viewer: Viewer) -> None:
    """For a release's file; its import appears as a job."""

    async def finished() -> None:
        ui.navigate.reload()

    label = viewer.texts.say("A file NAME-VERSION.draem")
    FileField(viewer, label, "/products/import", ".draem", finished, multiple=False)
