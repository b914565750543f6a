"""Releases: seal a version, make it current, roll back, carry it to another station as one file.

The lock, the drafts and the symlink are in edge/product/versions.py; all of them survive a kill -9.
"""

import logging
from pathlib import Path

from deploy.release.release_file import Release, read_release, unpack, write_release
from edge.base.errors import ProductError
from edge.base.files import atomic_file, fsync, write_json
from edge.engine.runtimes import Flavour, proven_plan
from edge.product.activation_log import before
from edge.product.product import Product, content_of, find_version, now, read_version, versions
from edge.product.seal import SEAL, Seal
from edge.product.versions import changing, current_version, move_current, new_version, settle

log = logging.getLogger(__name__)

READ_ONLY = 0o555


def seal(path: Path, key: Path | None = None) -> Seal:
    """Name a version's content and make it read-only; with a private key, sign it too.

    A sealed version stays as it is, except that a missing signature is added. Raises DraemError.
    """
    with changing(path.parent):
        product = read_version(path)
        made = product.seal or Seal(content=content_of(path), sealed=now())
        if key is not None:
            made = _signed(product, made, key)
        make_read_only(path, product)
        if made != product.seal:
            for unfinished in path.glob(f".{SEAL}.*"):  # of a process that was killed
                unfinished.unlink(missing_ok=True)
            write_json(path / SEAL, made.model_dump())
            fsync(path)
        (path / SEAL).chmod(0o444)
    return made


def _signed(product: Product, made: Seal, key: Path) -> Seal:
    from deploy.release.signing import sign

    signed = sign(made, key)
    if made.key not in (None, signed.key):
        raise ProductError(
            f"{product.name} version {product.version} is already signed with another key: "
            "keep that signature, or export the version to a station that trusts that key"
        )
    return made if made.key else signed


def make_read_only(path: Path, product: Product) -> None:
    """Remove write permission from the portable files and the folders below the version.

    Hard links share it with other versions, which are never changed either. The version's own
    folder stays writable: `draem build` makes engines/ in it.
    """
    files = [path / name for name in product.manifest.files]
    folders = {file.parent for file in files} - {path}
    for part in (path / "manifest.json", *files, *folders):
        part.chmod(part.stat().st_mode & READ_ONLY)


def check_ready(product: Product, flavour: Flavour | None) -> None:
    """Raise DraemError, with the next command, unless a version is calibrated, sealed and built."""
    this = f"{product.name} version {product.version}"
    if product.calibration is None:
        raise ProductError(
            f"{this} has no threshold yet: run 'draem calibrate --product {product.name} "
            f"--version {product.version}', then seal and activate the version that it makes"
        )
    if product.seal is None:
        raise _not_sealed(product)
    proven_plan(product, flavour)


def _not_sealed(product: Product) -> ProductError:
    name, version = product.name, product.version
    return ProductError(
        f"{name} version {version} is not sealed: run 'draem release seal {version} "
        f"--product {name}'"
    )


def activate(path: Path, flavour: Flavour | None = None) -> bool:
    """Make a version the one that runs from the next start on; False where it already is."""
    with changing(path.parent):
        product = read_version(path)
        check_ready(product, flavour)
        if current_version(path.parent) == product.version:
            return False
        move_current(path, "activate")
    return True


def rollback(products: Path, name: str, flavour: Flavour | None = None) -> tuple[str, Product]:
    """Make the version current that ran before; returns the number that was left, and the product.

    Raises DraemError where no version ran before, or it is not ready to run.
    """
    folder = find_version(products, name, "newest").parent
    with changing(folder):
        current = current_version(folder)
        to = before(folder, current) if current else None
        if current is None or to is None:
            known = f"version {current}" if current else "any version"
            raise ProductError(
                f"nothing is known to have run before {known} of {name}: choose one "
                f"with 'draem release activate VERSION --product {name}'"
            )
        product = read_version(find_version(products, name, to))
        check_ready(product, flavour)
        move_current(product.path, "rollback")
    return current, product


def export(product: Product, target: Path) -> None:
    """Write a sealed version as one file, and read it back as an import would."""
    if product.seal is None:
        raise _not_sealed(product)
    if not target.parent.is_dir():
        raise ProductError(f"{target.parent} is not a folder: create it, or choose another --to")
    if target.exists():
        raise ProductError(f"{target} exists: remove it, or choose another name with --to")
    with atomic_file(target) as file:
        write_release(product, file)
        file.flush()
        read_release(file, target)
    fsync(target.parent)


def import_release(path: Path, products: Path, trust: Path | None = None) -> tuple[Product, bool]:
    """The version that a file holds, and whether it is new here.

    Everything is checked before anything is written; `current` does not change. With `trust`, a
    file with a public key, only a release signed with it is accepted. Raises DraemError.
    """
    with path.open("rb") as file:
        release = read_release(file, path)
        if trust is not None:
            from deploy.release.signing import check_signature

            check_signature(release.seal, trust)
        folder = products / release.manifest.name
        folder.mkdir(parents=True, exist_ok=True)
        with changing(folder):
            if known := _known_version(folder, release.seal.content):
                return known, False
            with new_version(products, release.manifest.name) as draft:
                unpack(release, draft)
                write_json(draft / SEAL, release.seal.model_dump())
                made = settle(draft, release.raw, _free_number(folder, release))
            product = read_version(made)
            make_read_only(made, product)
            (made / SEAL).chmod(0o444)
    return product, True


def _known_version(folder: Path, content: str) -> Product | None:
    """An undamaged version with this content."""
    for number in versions(folder.parent, folder.name):
        try:
            if content_of(folder / str(number)) == content:
                return read_version(folder / str(number))
        except (OSError, ValueError, ProductError) as error:
            log.warning("version %d here is damaged: %s", number, error)
    return None


def _free_number(folder: Path, release: Release) -> int:
    """The release's own number; where that is taken, the next free one."""
    known = versions(folder.parent, folder.name)
    wanted = int(release.manifest.version)
    return wanted if wanted not in known else known[-1] + 1
