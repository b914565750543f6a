"""product.json: the product that a station has been switched to, for its next start.

It is used while the station's settings name the product of the last start, and until another
version of the product is activated.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edge.base.errors import EngineError, ProductError
from edge.base.files import write_json
from edge.base.validation import read_json
from edge.product.product import Product, load_product

log = logging.getLogger(__name__)

STATE = "product.json"

Wanted = tuple[str, str | None]
"""A product's name, and its version or None for the current one."""


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    started_with: Wanted
    runs: Wanted


def remember(folder: Path, started_with: Wanted, runs: Wanted) -> None:
    """Write it, so that a restarted line runs the product that it was switched to."""
    write_json(folder / STATE, {"started_with": started_with, "runs": runs})


def load_remembered(folder: Path, products: Path, started_with: Wanted) -> Product:
    """The product of the last changeover, or the one of the settings where these have changed.

    Raises ProductError.
    """
    path = folder / STATE
    state = _read(path, started_with)
    if state is not None and state.started_with != started_with:
        path.unlink()  # or it would be used again once the old settings return
        state = None
    if state is None:
        return load_product(products, *started_with)
    name, version = state.runs
    current = products / name / "current"
    if version and current.is_symlink() and current.lstat().st_mtime > path.stat().st_mtime:
        version = None  # another version was activated since
    log.warning("this station was switched to %s: remove %s to run %s", name, path, started_with[0])
    with naming_the_way_back(folder, started_with):
        return load_product(products, name, version)


@contextmanager
def naming_the_way_back(folder: Path, started_with: Wanted) -> Iterator[None]:
    """Add to an error that keeps a station from starting how it starts without the changeover.

    It does not do so by itself: nobody would notice that it judges another product than the one
    that it was switched to.
    """
    try:
        yield
    except (ProductError, EngineError) as error:
        if not (folder / STATE).exists():
            raise
        raise type(error)(
            f"the station was switched to another product, but {error}; or remove "
            f"{folder / STATE} to run {started_with[0]}"
        ) from error


def _read(path: Path, started_with: Wanted) -> _State | None:
    try:
        return read_json(path, _State)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ProductError(
            f"{path} cannot be read, so the product to run is not known: remove it to run "
            f"{started_with[0]}"
        ) from error
