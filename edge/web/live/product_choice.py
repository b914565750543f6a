"""The choice of a product and version: of this machine's folder, else as text."""

from pathlib import Path

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.product.product import NAME, NAME_RULE, versions
from edge.web.live.requests import StationRefused
from edge.web.settings import StationAddresses
from edge.web.texts import Texts

CURRENT = ""


class ProductChoice:
    """Two lists where the products' folder is on this machine, two fields where it is not."""

    def __init__(self, addresses: StationAddresses, texts: Texts) -> None:
        self._folder, self._current = addresses.products, texts.say("the current one")
        self._known: dict[str, list[int]] = {}
        say = texts.say
        self._list = ui.select([], label=say("Product"), on_change=self._list_versions)
        self._versions = ui.select({CURRENT: self._current}, label=say("Version"), value=CURRENT)
        self._name, self._version = ui.input(say("Product")), ui.input(say("Version"))
        self._version.props["hint"] = say("empty: the current one")
        for field in (self._list, self._versions, self._name, self._version):
            field.classes("dialog-field")

    async def refresh(self) -> None:
        """Read the folder again."""
        self._known = await run_in_threadpool(_products, self._folder)
        has_list = bool(self._known)
        self._list.set_options(list(self._known), value=None)
        for field in (self._list, self._versions):
            field.visible = has_list
        for text in (self._name, self._version):
            text.visible, text.value = not has_list, ""
        self._list_versions()

    def chosen(self) -> tuple[str, str | None]:
        """Name and version, None for the current one. Raises StationRefused without a name."""
        name = self._list.value if self._known else self._name.value
        version = self._versions.value if self._known else self._version.value
        name, version = (name or "").strip(), (version or "").strip()
        if not name:
            raise StationRefused("no product is chosen: choose one")
        if not NAME.fullmatch(name):
            raise StationRefused(f"this cannot be a product's name: {NAME_RULE}")
        return name, version or None

    def _list_versions(self) -> None:
        numbers = reversed(self._known.get(self._list.value or "", []))
        options = {CURRENT: self._current, **{str(n): str(n) for n in numbers}}
        self._versions.set_options(options, value=CURRENT)


def _products(folder: Path | None) -> dict[str, list[int]]:
    """All products with their versions; empty where the folder is not on this machine."""
    if folder is None or not folder.is_dir():
        return {}
    names = sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name))
    return {name: found for name in names if (found := versions(folder, name))}
