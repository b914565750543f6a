"""Write versions: drafts that become versions by a rename, and changes of `current`.

products/<name>/.draft.*            a version being written, locked (flock) by its writer
products/<name>/.lock               held while a release is sealed, imported, or `current` changes
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
from edge.base.person import Person
from edge.product.activation_log import Kind, log_activation
from edge.product.change_journal import described_version, record_change
from edge.product.manifest import MANIFEST, Manifest
from edge.product.product import Product, check_name, read_version, versions
from edge.product.seal import SEAL

LOCK = ".lock"
POLL_S = 0.05
LOCK_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


@contextmanager
def new_version(products: Path, name: str) -> Iterator[Path]:
    """A draft folder to fill and pass to `finish_version`; removed when the block fails.

    Drafts of killed processes are removed first.
    """
    check_name(name)
    folder = products / name
    folder.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.glob(".draft.*"):
        with contextlib.suppress(OSError):
            if (lock := _lock_draft(abandoned)) is not None:
                shutil.rmtree(abandoned, ignore_errors=True)
                os.close(lock)
    draft, lock = _new_draft(folder)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def finish_version(draft: Path, manifest: Manifest) -> Product:
    """Write the manifest with the digest of each file in `draft`, and rename it to its version.

    The first version of a product becomes current, unless a release exists here.
    """
    folder = draft.parent
    paths = sorted(p.relative_to(draft) for p in draft.rglob("*") if p.is_file())
    files = {str(p): digest(draft / p) for p in paths if p.parts[0] != "engines"}
    complete = manifest.model_copy(update={"files": files})
    number = max(versions(folder.parent, folder.name), default=0) + 1
    path = rename_to_version(draft, complete.model_dump(), number)
    activate_first(path)
    return read_version(path)


def activate_first(version: Path) -> None:
    """Make a version current where none is and none was released; a held lock is no error."""
    folder = version.parent
    if not _has_no_current(folder):
        return
    with contextlib.suppress(ProductError), release_lock(folder, LOCK_TIMEOUT_S):
        if _has_no_current(folder):
            set_current(version)


def _has_no_current(folder: Path) -> bool:
    return not (folder / "current").exists() and not is_released(folder)


def rename_to_version(draft: Path, manifest: Mapping[str, object], number: int) -> Path:
    """Rename a draft to its version: `number`, or the next free one where that exists.

    All of it is synced to the disk before.
    """
    folder = draft.parent
    while True:
        write_json(draft / MANIFEST, {**manifest, "version": str(number)})
        fsync_tree(draft)
        target = folder / str(number)
        try:
            draft.rename(target)
        except OSError:
            # Another process took this number: a folder with files cannot be replaced.
            if not target.exists():
                raise
            number = max(versions(folder.parent, folder.name)) + 1
        else:
            fsync(folder)
            return target


def set_current(version: Path) -> None:
    """Make a version current by renaming a symlink; `release_lock` removes abandoned ones."""
    link = version.parent / f".current.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version.name)
    link.replace(version.parent / "current")
    fsync(version.parent)


def current_version(folder: Path) -> str | None:
    """The version that `current` names, whether it exists or not; None without `current`."""
    link = folder / "current"
    return link.readlink().name if link.is_symlink() else None


def is_released(folder: Path) -> bool:
    """Whether only a person may change `current`: it is sealed, or only others are."""
    current = folder / "current"
    if current.exists():
        return (current / SEAL).exists()
    return any((folder / str(n) / SEAL).exists() for n in versions(folder.parent, folder.name))


def change_current(version: Path, kind: Kind, by: Person | None = None) -> None:
    """Log the change of `current`, then make it. The caller holds `release_lock`.

    `by` says who makes it, by default the user; so it does elsewhere.
    """
    folder, before = version.parent, current_version(version.parent)
    old, new = (described_version(folder, v) for v in (before, version.name))
    action = "rollback" if kind == "rollback" else "activate"
    record_change(folder, by, action, folder.name, old, new)
    log_activation(folder, kind, before, version.name)
    set_current(version)


def activate_unless_released(product: Product, by: Person | None = None) -> bool:
    """Make a new version current, unless a release runs; whether it was.

    Raises ProductError where another process holds the lock for too long.
    """
    folder, number = product.path.parent, product.version
    with release_lock(folder, LOCK_TIMEOUT_S):
        allowed = not is_released(folder)
        if allowed and current_version(folder) != number:
            change_current(product.path, "calibrate", by)
    if allowed:
        log.info("%s version %s is current", product.name, number)
    else:
        command = f"draem release {{}} {number} --product {product.name}"
        log.warning(
            "version %s is not current, since a release runs here: '%s', then '%s'",
            *(number, command.format("seal"), command.format("activate")),
        )
    return allowed


@contextmanager
def release_lock(folder: Path, timeout_s: float = 0) -> Iterator[None]:
    """Lock a product's releases and `current` for this process; the system releases it at its end.

    Raises ProductError where another process holds the lock for longer than `timeout_s`.
    """
    with (folder / LOCK).open("a+") as file:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                raise ProductError(
                    f"another process{_holder(file)} is changing the releases of {folder.name}: "
                    "nothing was done, try again when it has ended"
                )
            time.sleep(POLL_S)
        with contextlib.suppress(OSError):  # on a full disk the process number is missing
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        for abandoned in folder.glob(".current.*"):  # of a killed process
            abandoned.unlink(missing_ok=True)
        yield


def _holder(file: IO[str]) -> str:
    """The process number in the lock file; empty where it was not written yet."""
    file.seek(0)
    text = file.read(20)
    return f" ({text})" if text.isdecimal() else ""


def _try_lock(descriptor: int) -> bool:
    """Lock an open file or folder without waiting; closing it releases the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _new_draft(folder: Path) -> tuple[Path, int | None]:
    """An empty draft and its lock; another one where a process took it for abandoned."""
    while True:
        draft = folder / f".draft.{os.getpid()}.{secrets.token_hex(4)}"
        draft.mkdir()
        try:
            lock = _lock_draft(draft)
        except OSError:  # NFS cannot lock folders, so no other process can lock and remove it
            return draft, None
        if lock is not None:
            return draft, lock


def _lock_draft(draft: Path) -> int | None:
    """The open folder that holds a draft's lock; None where it is locked or was removed.

    Raises OSError where the file system cannot lock folders.
    """
    try:
        descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    locked = False
    try:
        locked = _try_lock(descriptor) and draft.exists()
    finally:
        if not locked:
            os.close(descriptor)
    return descriptor if locked else None
