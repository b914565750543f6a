"""Writing versions: drafts that become versions by a rename, and what moves `current`.

products/<name>/.draft.*            a version being written; a flock on it: its writer lives
products/<name>/.lock               held while a release is sealed, imported, or `current` is moved
products/<name>/activations.jsonl   each move of `current`, written before it is made
"""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edge.base.errors import ProductError
from edge.base.files import digest, fsync, fsync_tree, write_json
from edge.product.activation_log import Kind, intend
from edge.product.product import MANIFEST, Manifest, Product, check_name, read_version, versions
from edge.product.seal import SEAL

LOCK = ".lock"
POLL_S = 0.05
PATIENCE_S = 10.0

log = logging.getLogger(__name__)


@contextmanager
def new_version(products: Path, name: str) -> Iterator[Path]:
    """A folder to fill; on success `finish_version` has renamed it, on failure it is gone.

    Drafts that a killed process left behind are removed first.
    """
    check_name(name)
    folder = products / name
    folder.mkdir(parents=True, exist_ok=True)
    _remove_left_drafts(folder)
    draft, held = _held_draft(folder)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(held)


def finish_version(draft: Path, manifest: Manifest) -> Product:
    """Write the manifest with the digest of each file in `draft`, and rename it to its version.

    The first version of a product becomes its `current`, unless what is here was released.
    """
    folder = draft.parent
    whole_draft = sorted(p.relative_to(draft) for p in draft.rglob("*") if p.is_file())
    files = {str(p): digest(draft / p) for p in whole_draft if p.parts[0] != "engines"}
    whole = manifest.model_copy(update={"files": files})
    path = settle(
        draft, whole.model_dump(), max(versions(folder.parent, folder.name), default=0) + 1
    )
    first_current(path)
    return read_version(path)


def first_current(version: Path) -> None:
    """Make the first version current. It is whole either way: who holds the lock may decide."""
    folder = version.parent
    if (folder / "current").exists() or released(folder):
        return
    with contextlib.suppress(ProductError), changing(folder, PATIENCE_S):
        if not (folder / "current").exists() and not released(folder):
            set_current(version)


def settle(draft: Path, manifest: Mapping[str, object], number: int) -> Path:
    """Rename a draft to its version: `number`, or the next free one where that is taken.

    All of it is on the disk before it has its name.
    """
    folder = draft.parent
    while True:
        write_json(draft / MANIFEST, {**manifest, "version": str(number)})
        fsync_tree(draft)
        target = folder / str(number)
        try:
            draft.rename(target)
        except OSError:
            # Somebody took this number in the meantime: a filled folder refuses the rename.
            if not target.exists():
                raise
            number = max(versions(folder.parent, folder.name)) + 1
        else:
            fsync(folder)
            return target


def set_current(version: Path) -> None:
    """Make a version the one that runs, by renaming a symlink; `changing` removes others' left."""
    link = version.parent / f".current.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version.name)
    link.replace(version.parent / "current")
    fsync(version.parent)


def current_version(folder: Path) -> str | None:
    """The version that `current` names, whether it is there or not; None without."""
    link = folder / "current"
    return link.readlink().name if link.is_symlink() else None


def released(folder: Path) -> bool:
    """Whether people alone move `current` here: what runs was sealed, or only sealed ones came."""
    current = folder / "current"
    if current.exists():
        return (current / SEAL).exists()
    return any((folder / str(n) / SEAL).exists() for n in versions(folder.parent, folder.name))


def move_current(version: Path, kind: Kind) -> None:
    """Write down what is meant, then do it. The caller holds `changing`."""
    intend(version.parent, kind, current_version(version.parent), version.name)
    set_current(version)


def offer(product: Product) -> bool:
    """Make a new version current, unless what runs was released; whether it did.

    Raises ProductError where somebody else is changing releases for too long.
    """
    folder, number = product.path.parent, product.version
    with changing(folder, PATIENCE_S):
        free = not released(folder)
        if free and current_version(folder) != number:
            move_current(product.path, "calibrate")
    if free:
        log.info("%s version %s is current", product.name, number)
    else:
        command = f"draem release {{}} {number} --product {product.name}"
        log.warning(
            "version %s is not current, since a release runs here: '%s', then '%s'",
            *(number, command.format("seal"), command.format("activate")),
        )
    return free


@contextmanager
def changing(folder: Path, patience_s: float = 0) -> Iterator[None]:
    """The right to change a product's releases; one process has it, a killed one gives it back.

    Raises ProductError where somebody else has it for longer than `patience_s`.
    """
    with (folder / LOCK).open("a+") as file:
        end = time.monotonic() + patience_s
        while not _take(file.fileno()):
            if time.monotonic() >= end:
                raise ProductError(
                    f"somebody else is changing the releases of {folder.name}{_holder(file)}: "
                    "nothing was done, try again when that has ended"
                )
            time.sleep(POLL_S)
        with contextlib.suppress(OSError):  # on a full disk the name is missing, not the lock
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        for left in folder.glob(".current.*"):  # of a process that was killed
            left.unlink(missing_ok=True)
        yield


def _holder(file: IO[str]) -> str:
    """Who wrote itself into the lock; nothing where that was not done yet."""
    file.seek(0)
    text = file.read(20)
    return f" (process {text})" if text.isdecimal() else ""


def _take(opened: int) -> bool:
    """A lock on an open file or folder, without waiting; its end closes with the process."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held_draft(folder: Path) -> tuple[Path, int]:
    """An empty draft and the lock that keeps others from removing it."""
    while True:
        draft = folder / f".draft.{os.getpid()}.{secrets.token_hex(4)}"
        draft.mkdir()
        try:
            held = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # taken for a left one before it was locked
        # A disk without locks keeps its drafts: nobody else can lock one to remove it either.
        with contextlib.suppress(OSError):
            if _take(held) and draft.exists():
                return draft, held
            os.close(held)
            continue
        return draft, held


def _remove_left_drafts(folder: Path) -> None:
    """Those whose writer has died: nobody holds their lock."""
    for draft in folder.glob(".draft.*"):
        try:
            held = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            if _take(held):
                shutil.rmtree(draft, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(held)
