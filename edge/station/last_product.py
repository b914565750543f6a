"""product.json: the product that a station has been switched to, for its next start.

It is used while the station's settings name the product of the last start, and until another
version of the product is activated.
"""

import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edge.base.errors import ProductError
from edge.base.files import write_json
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
    try:
        return load_product(products, name, version)
    except ProductError as error:
        raise ProductError(
            f"the station was switched to {name}, but {error}; or remove {path} to run "
            f"{started_with[0]}"
        ) from error


def _read(path: Path, started_with: Wanted) -> _State | None:
    try:
        return _State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ProductError(
            f"{path} cannot be read, so the product to run is not known: remove it to run "
            f"{started_with[0]}"
        ) from error
