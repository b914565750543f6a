"""Releases: seal a version, make it current, go back, carry it to another station as one file.

`edge/product/versions.py` has the lock, the drafts and the symlink; all of them survive a kill -9.
"""

import logging
from pathlib import Path

from deploy.release.release_file import Release, extract, read_release, write_release
from edge.base.errors import ProductError
from edge.base.files import atomic_file, fsync, write_json
from edge.base.person import Person
from edge.engine.runtimes import Flavour, proven_plan
from edge.product.activation_log import previous_version
from edge.product.change_journal import record_change
from edge.product.manifest import content_of
from edge.product.product import Product, find_version, now, read_files, read_version, versions
from edge.product.seal import SEAL, Seal
from edge.product.versions import (
    change_current,
    current_version,
    new_version,
    release_lock,
    rename_to_version,
)

log = logging.getLogger(__name__)

READ_ONLY = 0o555


def seal(path: Path, key: Path | None = None, by: Person | None = None) -> Seal:
    """Name a version's content and make it read-only; with a private key, sign it too.

    What is sealed already stays as it is, but for a signature that it lacks. `by` says who does it,
    by default the user; so it does below. Raises DraemError.
    """
    with release_lock(path.parent):
        product = read_version(path)
        made = product.seal or Seal(content=content_of(path), sealed=now())
        if key is not None:
            made = _signed(product, made, key)
        protect(path, product)
        if made != product.seal:
            for left in path.glob(f".{SEAL}.*"):  # of a process that was killed
                left.unlink(missing_ok=True)
            old = _shown(product.seal) if product.seal else ""
            target = f"{product.name} version {product.version}"
            record_change(path.parent, by, "seal", target, old, _shown(made))
            write_json(path / SEAL, made.model_dump())
            fsync(path)
        (path / SEAL).chmod(0o444)
    return made


def _shown(sealed: Seal) -> str:
    """A seal, as the audit trail names it."""
    signed = f", signed with {sealed.key}" if sealed.key else ""
    return f"content {sealed.content}{signed}"


def _signed(product: Product, made: Seal, key: Path) -> Seal:
    from deploy.release.signing import sign

    signed = sign(made, key)
    if made.key not in (None, signed.key):
        raise ProductError(
            f"{product.name} version {product.version} is signed already, with another key: "
            "carry on with that one, or export it to a station and trust the key there"
        )
    return made if made.key else signed


def protect(path: Path, product: Product) -> None:
    """Take the right to write from the portable files and the folders below the version.

    Hard links share it with other versions, which are never changed either. The version's own
    folder stays open: `draem build` makes engines/ in it.
    """
    files = [path / name for name in product.manifest.files]
    folders = {file.parent for file in files} - {path}
    for part in (path / "manifest.json", *files, *folders):
        part.chmod(part.stat().st_mode & READ_ONLY)


def check_ready(product: Product, flavour: Flavour | None) -> None:
    """Raise DraemError unless a version is calibrated, sealed and built: with the next command."""
    this = f"{product.name} version {product.version}"
    if product.calibration is None:
        raise ProductError(
            f"{this} has no threshold yet: run 'draem calibrate --product {product.name} "
            f"--version {product.version}', then seal and activate the version that it makes"
        )
    if product.seal is None:
        raise ProductError(
            f"{this} is not sealed: run 'draem release seal {product.version} "
            f"--product {product.name}'"
        )
    proven_plan(product, flavour)


def activate(path: Path, flavour: Flavour | None = None, by: Person | None = None) -> bool:
    """Make a version the one that runs from the next start on; False where it is so already."""
    with release_lock(path.parent):
        product = read_version(path)
        check_ready(product, flavour)
        if current_version(path.parent) == product.version:
            return False
        change_current(path, "activate", by)
    return True


def rollback(
    products: Path, name: str, flavour: Flavour | None = None, by: Person | None = None
) -> tuple[str, Product]:
    """Make current what ran before: the version that was left, and the one that runs now."""
    folder = find_version(products, name, "newest").parent
    with release_lock(folder):
        current = current_version(folder)
        to = previous_version(folder, current) if current else None
        if current is None or to is None:
            now = f"version {current}" if current else "any version"
            raise ProductError(
                f"nothing is known to have run before {now} of {name}: choose one "
                f"with 'draem release activate VERSION --product {name}'"
            )
        product = read_version(find_version(products, name, to))
        check_ready(product, flavour)
        change_current(product.path, "rollback", by)
    return current, product


def export(product: Product, target: Path) -> None:
    """Write a sealed version as one file, and read it back as an import would."""
    if product.seal is None:
        raise ProductError(
            f"{product.name} version {product.version} is not sealed: run 'draem release seal "
            f"{product.version} --product {product.name}'"
        )
    if not target.parent.is_dir():
        raise ProductError(f"{target.parent} is no folder: make it, or choose another with --to")
    if target.exists():
        raise ProductError(f"{target} exists: remove it, or choose another name with --to")
    with atomic_file(target) as file:
        write_release(product, file)
        file.flush()
        read_release(file, target)
    fsync(target.parent)


def import_release(
    path: Path, products: Path, trust: Path | None = None, by: Person | None = None
) -> tuple[Product, bool]:
    """The version that a file holds, and whether it is new here.

    Everything is checked before anything is written; `current` is left alone. With `trust`, the
    file of a public key, only what is signed with it comes in. Raises DraemError.
    """
    with path.open("rb") as file:
        release = read_release(file, path)
        if trust is not None:
            from deploy.release.signing import check_signature

            check_signature(release.seal, trust)
        folder = products / release.manifest.name
        folder.mkdir(parents=True, exist_ok=True)
        with release_lock(folder):
            if here := _already(folder, release.seal.content):
                return here, False
            with new_version(products, release.manifest.name) as draft:
                for name in release.manifest.files:
                    (draft / name).parent.mkdir(parents=True, exist_ok=True)
                    extract(file, release, name, draft / name)
                read_files(draft, release.manifest, release.seal)
                write_json(draft / SEAL, release.seal.model_dump())
                number = _number(folder, release)
                target = f"{release.manifest.name} version {number}"
                record_change(folder, by, "import", target, new=_shown(release.seal))
                made = rename_to_version(draft, release.raw, number)
            product = read_version(made)
            protect(made, product)
            (made / SEAL).chmod(0o444)
    return product, True


def _already(folder: Path, content: str) -> Product | None:
    """A whole version with this content; one that is damaged does not count."""
    for number in versions(folder.parent, folder.name):
        try:
            if content_of(folder / str(number)) == content:
                return read_version(folder / str(number))
        except (OSError, ValueError, ProductError) as error:
            log.warning("version %d here is damaged: %s", number, error)
    return None


def _number(folder: Path, release: Release) -> int:
    """The file's own number; where that is taken, the next free one."""
    known = versions(folder.parent, folder.name)
    wanted = int(release.manifest.version)
    return wanted if wanted not in known else known[-1] + 1
