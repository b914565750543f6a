"""How a part looks everywhere: its verdict as word, colour and shape; its picture's address."""

from nicegui import ui

from edge.web.texts import Texts, mark

ICONS = {"OK": "check_circle", "NG": "cancel", "NO_VERDICT": "help"}
WORDS = {"OK": mark("OK"), "NG": mark("NG"), "NO_VERDICT": mark("no verdict")}


class VerdictBadge:
    """A verdict that can change, in a size that CSS classes set."""

    def __init__(self, texts: Texts, verdict: str = "", classes: str = "") -> None:
        self._texts, self._shown = texts, ""
        with ui.element("div").classes(f"verdict {classes}") as self._box:
            self._icon = ui.icon("").props("aria-hidden=true")
            self._word = ui.label()
        self.show(verdict)

    def show(self, verdict: str) -> None:
        """Change it; an empty verdict hides it."""
        if verdict == self._shown:
            self._box.visible = bool(verdict)
            return
        self._box.classes(remove=f"verdict-{self._shown}", add=f"verdict-{verdict}")
        self._box.visible, self._shown = bool(verdict), verdict
        self._icon.set_name(ICONS.get(verdict, "help"))
        self._word.text = self._texts.say(WORDS.get(verdict, verdict))


def picture_address(digest: str) -> str:
    """Where a browser gets a picture or a mask of the archive."""
    return f"/pictures/{digest}"


def thumbnail_address(digest: str) -> str:
    """Where it gets a small one."""
    return f"/thumbnails/{digest}"
