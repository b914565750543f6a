"""A line that can change its product, around engines that are stubs: quick, and held up at will."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event as StopEvent

from edge.base.errors import EngineError
from edge.product.product import Product
from edge.station.active_product import ActiveProduct
from edge.station.changeover import Changeover
from edge.station.proof import Stopped
from tests.support.minimal_station import PRODUCT, MeanEngine
from tests.support.running_station import Running

RECIPES = ("--recipe", "1=lid", "--recipe", "2=twin", "--recipe", "3=bad")


def named(name: str) -> Product:
    return replace(PRODUCT, manifest=PRODUCT.manifest.model_copy(update={"name": name}))


class Loader:
    """Makes a product ready once `go` is set; `asked` are the names in turn; `bad` never works."""

    def __init__(self) -> None:
        self.go, self.asked = StopEvent(), list[str]()

    def __call__(self, name: str, version: str | None, stopped: Stopped) -> ActiveProduct:
        self.asked.append(name)
        assert self.go.wait(30)
        if name == "bad":
            raise EngineError("no such engine: run 'draem build --product bad'")
        return ActiveProduct.of(named(name), MeanEngine())


@contextmanager
def changing_line(folder: Path, **values: object) -> Iterator[tuple[Running, Loader]]:
    """A station that judges `lid`, a part every 20 ms, and how it loads."""
    loader = Loader()
    with Changeover(MeanEngine(), loader, lambda *_: None) as changeover:
        station = Running(folder, changeover, **values)
        yield station, loader
        loader.go.set()
        station.close()
