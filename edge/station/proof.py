"""Proves a product's engine in a process of its own, so that the line's loop never waits for it.

In a thread of the line a proof of low priority would be preempted while it holds the interpreter's
lock. The child process has idle priority; where other programs leave it no time, it is started
again with an ordinary one. Run as a program it is the child.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from edge.base.errors import DraemError, ProductError
from edge.engine import runtimes
from edge.engine.runtimes import Flavour
from edge.engine.verify import prove
from edge.product.product import Product, load_product
from edge.vision.frame import Size
from edge.vision.tiles import TilePlan

PROOF_FRAMES = 24  # of the calibration's, besides all golden ones
PROOF_TILES = 300
"""Of a product in tiles so many of those frames' tiles: one slow thread judges them in time."""
TIMEOUT_S = 300.0
STARVED_S, STARVED_SHARE = 10.0, 0.2
"""After so long, a child that has had less than this share of one core is starved."""
IDLE = ("chrt", "--idle", "0")
"""Runs a program only where no other wants to. From its first instruction: an interpreter that
starts at ordinary priority and then lowers its own has already held up a frame."""
POLL_S = 0.05
ROOT = str(Path(__file__).parents[2])
CHILD = "import sys; from edge.station.proof import main; main(sys.argv[1])"

Stopped = Callable[[], bool]


class ChangeoverError(DraemError):
    """The line cannot change its product now."""


class Wanted(TypedDict):
    """What to prove; `frame` is the size of the camera's frames, where one has come."""

    products: str
    name: str
    version: str | None
    flavour: Flavour | None
    frame: Size | None


def prove_in_child(wanted: Wanted, stopped: Stopped) -> str:
    """Prove a product; its version's number. Takes long, and ends early once `stopped`.

    Raises ChangeoverError, with the child's reason where it has one.
    """
    deadline = time.monotonic() + TIMEOUT_S
    version = _attempt(wanted, stopped, deadline, idle=shutil.which(IDLE[0]) is not None)
    return version or _attempt(wanted, stopped, deadline, idle=False) or ""


def _attempt(wanted: Wanted, stopped: Stopped, deadline: float, *, idle: bool) -> str | None:
    """One child; the version that it has proved, or None where it starved at idle priority."""
    paths = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths}
    environment.pop("NOTIFY_SOCKET", None)
    began = time.monotonic()
    with subprocess.Popen(
        [*(IDLE if idle else ()), sys.executable, "-P", "-c", CHILD, json.dumps(wanted)],
        stdin=subprocess.PIPE,  # its end is the end of this process
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0,  # Ctrl-C is for the line
    ) as child:
        try:
            while child.poll() is None:
                now = time.monotonic()
                if stopped():
                    raise ChangeoverError("the proof was given up: the line has ended")
                if now > deadline:
                    raise ChangeoverError(
                        f"its proof was not done in {TIMEOUT_S:.0f} s, because the line and other "
                        "programs use all processor time: stop those, or slow the line down, and "
                        "switch again"
                    )
                if idle and now - began > STARVED_S and _is_starved(child.pid, began):
                    return None
                time.sleep(POLL_S)
        finally:
            child.kill()
        assert child.stdout is not None
        return _version(child.returncode, child.stdout.read())


def _is_starved(pid: int, began: float) -> bool:
    """Whether a process has had too little processor time since `began`."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False  # it has just ended
    used_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used_s < STARVED_SHARE * (time.monotonic() - began)


def _version(code: int, output: bytes) -> str:
    """What a child has written before it ended."""
    try:
        told = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        raise ChangeoverError(
            f"its proof has ended with {code}, and the line's log may say why: where it was killed "
            "(-9) memory is short, so close other programs, and switch again"
        ) from None
    if "error" in told:
        raise ChangeoverError(str(told["error"]))
    return str(told["version"])


def check_usable(product: Product, frame: Size | None) -> Product:
    """Raises ProductError where each frame of this line would be NO_VERDICT."""
    which = f"{product.name} version {product.version}"
    if product.calibration is None:
        raise ProductError(
            f"{which} has no threshold: run 'draem calibrate --product {product.name} "
            f"--version {product.version}'"
        )
    try:
        if frame is not None:
            product.fit.place(frame)
    except ValueError as error:
        raise ProductError(
            f"{which} does not fit this camera: {error}: set the camera to the size that it was "
            "made with and start the line again, or train and calibrate it on this camera's frames"
        ) from error
    return product


def main(text: str) -> None:
    """The child: prints the version that it has proved, or why it could not."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    wanted: Wanted = json.loads(text)
    try:
        version = _prove(wanted)
    except DraemError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    else:
        print(json.dumps({"version": version}), flush=True)
    os._exit(0)  # no thread of an engine is waited for


def _prove(wanted: Wanted) -> str:
    frame = wanted["frame"]
    product = load_product(Path(wanted["products"]), wanted["name"], wanted["version"])
    check_usable(product, (frame[0], frame[1]) if frame else None)
    plan = runtimes.proven_plan(product, wanted["flavour"])
    with runtimes.open_plan(plan, product, threads=1) as engine:
        prove(engine, product, plan.record.key.precision, most=frames_to_prove(product))
    return product.version


def frames_to_prove(product: Product) -> int:
    """How many of the calibration's frames are judged: fewer of pictures in many tiles."""
    tile, fit = product.manifest.tile, product.fit
    tiles = 1 if tile is None else len(TilePlan(fit.height, fit.width, tile).places)
    return max(1, min(PROOF_FRAMES, PROOF_TILES // tiles))


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)
