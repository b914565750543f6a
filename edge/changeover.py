"""Another product while the line runs: its engine is proven beside the old one, then taken.

The proof runs at low priority on one core, in an engine of its own: a thread that has lowered its
priority cannot raise it again, and whatever an engine starts would inherit it. The engine that will
serve is loaded only then, by a thread of normal priority, and the loop takes it between two frames.
Whatever fails on the way, the old one goes on.
"""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.closing import Closing
from edge.engine import Engine, flavours
from edge.engine.flavours import Flavour
from edge.engine.proof import prove
from edge.errors import DraemError, ProductError
from edge.files import write_json
from edge.product import Product, load_product

log = logging.getLogger(__name__)

LOW_PRIORITY = 10  # a tenth of the line's share where both want the same core
PROOF_FRAMES = 24  # of the calibration's, besides all golden ones
CLOSE_S = 5.0  # a proof that still runs then ends with the program
STATE = "product.json"


class ChangeoverError(DraemError):
    """The line cannot change its product now."""


class Running(NamedTuple):
    """What judges: a product and its engine."""

    product: Product
    engine: Engine


class Change(BaseModel):
    """The last change of product that was asked for, and what became of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    state: Literal["none", "loading", "done", "failed"] = "none"
    product: str = ""
    version: str | None = None
    message: str = ""


Load = Callable[[str, str | None], Running]
"""(product's name, version or None for the current one) -> proven and warm. Raises DraemError."""


class Changeover(Closing):
    """Holds the engine that serves, and makes the next one ready on a thread of its own.

    `begin` is called by the thread that answers, `take` by the loop; `taken` is told, on the
    helper's thread, what runs from now on.
    """

    def __init__(self, now: Running, load: Load, taken: Callable[[str, str | None], None]) -> None:
        self._now, self._load, self._tell = now, load, taken
        self._ready: Running | None = None
        self._took, self._closed = threading.Event(), threading.Event()
        self._helper: threading.Thread | None = None
        self.change = Change()

    def begin(self, product: str, version: str | None) -> None:
        """Start to make a product ready. Raises ChangeoverError while another one is."""
        if self.change.state == "loading":
            raise ChangeoverError(
                f"{self.change.product} is still being made ready: try again when that has ended"
            )
        self.change = Change(state="loading", product=product, version=version)
        self._helper = threading.Thread(target=self._work, name="changeover", daemon=True)
        self._helper.start()

    def take(self) -> Running | None:
        """What the loop has to judge with from now on, where that has changed; never waits."""
        ready, self._ready = self._ready, None
        if ready is not None:
            self._before, self._now = self._now, ready
            self._took.set()
        return ready

    def _work(self) -> None:
        asked = self.change
        try:
            self._ready = self._load(asked.product, asked.version)
            while not self._took.wait(0.1):
                if self._closed.is_set():
                    return
        except Exception as error:  # the old one goes on, and whoever asked is told
            known = isinstance(error, DraemError)
            log.error("no change to %s: %s", asked.product, error, exc_info=not known)
            self.change = asked.model_copy(update={"state": "failed", "message": str(error)})
        else:
            self._took.clear()
            self._before.engine.close()
            self.change = asked.model_copy(update={"state": "done", **self._told(asked)})

    def _told(self, asked: Change) -> dict[str, str]:
        """The version that runs, and what was wrong with remembering it."""
        message = ""
        try:
            self._tell(asked.product, asked.version)
        except OSError as error:
            message = f"it runs, but a restart will not know it ({error}): free space on the disk"
            log.error("%s: %s", asked.product, message)
        return {"version": self._now.product.version, "message": message}

    def close(self) -> None:
        """Close the engine that serves, and one that was never taken."""
        self._closed.set()
        if self._helper is not None:
            self._helper.join(CLOSE_S)
        for running in (self._ready, self._now):
            if running is not None:
                running.engine.close()


def load_proven(products: Path, name: str, version: str | None, flavour: Flavour | None) -> Running:
    """A calibrated product and its engine, proven here and now. Raises DraemError.

    Takes long, at low priority; only the last step, loading what will serve, is at normal one.
    """
    product = load_product(products, name, version)
    if product.calibration is None:
        raise ProductError(
            f"{name} version {product.version} has no threshold: "
            f"run 'draem calibrate --product {name} --version {product.version}'"
        )
    failed: list[BaseException] = []
    proof = threading.Thread(target=_prove_slowly, args=(product, flavour, failed), daemon=True)
    proof.start()
    proof.join()
    if failed:
        raise failed[0]
    return Running(product, flavours.load(product, flavour))


def _prove_slowly(product: Product, flavour: Flavour | None, failed: list[BaseException]) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)
        with flavours.load(product, flavour, threads=1) as engine:
            prove(engine, product, most=PROOF_FRAMES)
    except BaseException as error:  # noqa: BLE001  handed to the helper, which tells it
        failed.append(error)


class _State(BaseModel):
    """What a station was started with, and what it runs since a changeover."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    started_with: tuple[str, str | None]
    runs: tuple[str, str | None]


def remember(
    folder: Path, started_with: tuple[str, str | None], runs: tuple[str, str | None]
) -> None:
    """So that a line that is started again by its supervisor runs what it ran before."""
    write_json(folder / STATE, {"started_with": started_with, "runs": runs})


def recall(folder: Path, started_with: tuple[str, str | None]) -> tuple[str, str | None]:
    """The product and version to run: the last changeover's, unless the settings have changed."""
    try:
        state = _State.model_validate_json((folder / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return started_with
    except (OSError, ValidationError) as error:
        raise ProductError(
            f"{folder / STATE} cannot be read, so that it is not known which product runs: remove "
            f"it to run {started_with[0]}, or run 'draem switch' after that"
        ) from error
    return state.runs if state.started_with == started_with else started_with
