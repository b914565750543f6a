"""Labels given in the page. Each is an entry of the audit trail, in the label's own transaction."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.archive.labels import Given
from edge.web.accounts.roles import Role
from edge.web.dialogs import dialog_buttons, titled_dialog
from edge.web.page import guarded
from edge.web.viewer import Viewer


async def give(viewer: Viewer, key: str, given: Given) -> None:
    """Label a part. Raises NotAllowed, ArchiveError."""

    def do() -> None:
        viewer.require(Role.OPERATOR)
        viewer.archive.label(key, given, _origin(viewer))

    await run_in_threadpool(do)


async def take_back(viewer: Viewer, key: str) -> None:
    """Withdraw the viewer's last label of a part. Raises NotAllowed, ArchiveError."""

    def do() -> None:
        viewer.require(Role.OPERATOR)
        viewer.archive.withdraw_label(key, viewer.account.name, _origin(viewer))

    await run_in_threadpool(do)


async def add_kind(viewer: Viewer, name: str) -> None:
    """A new kind of defect. Raises NotAllowed, ArchiveError."""

    def do() -> None:
        viewer.require(Role.ENGINEER)
        viewer.archive.add_kind(name.strip(), viewer.account.name, _origin(viewer))

    await run_in_threadpool(do)


def _origin(viewer: Viewer) -> str:
    return f"web {viewer.session.origin}"


def kind_dialog(viewer: Viewer, added: Callable[[str], Awaitable[None]]) -> ui.dialog:
    """Asks an engineer for a new kind of defect."""
    say = viewer.texts.say
    with titled_dialog(say("New kind of defect")) as dialog:
        name = ui.input(say("Name")).props("autofocus maxlength=100").classes("dialog-field")

        async def add() -> None:
            await add_kind(viewer, name.value)
            dialog.close()
            await added(name.value.strip())

        dialog_buttons(viewer, dialog, say("Add"), guarded(viewer, add))
    return dialog
