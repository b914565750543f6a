"""A version of a product, found by its name and read with every file checked."""

import mmap
import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from edge.base.errors import ProductError
from edge.base.files import digest
from edge.product.alignment_file import read_aligner
from edge.product.manifest import MANIFEST, Manifest, read_manifest, read_model
from edge.product.seal import SEAL, Seal
from edge.vision.alignment import REFERENCE_FILE
from edge.vision.calibration import Calibration
from edge.vision.drift_features import REFERENCE
from edge.vision.fit import Fit
from edge.vision.geometry import Geometry

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
EXTERNAL = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")
NAME_RULE = (
    "a name has at most 100 letters, digits, '_', '-' and '.', and begins with a letter or digit"
)


@dataclass(frozen=True)
class Product:
    """One version of a product, its digests checked."""

    path: Path
    manifest: Manifest
    calibration: Calibration | None
    seal: Seal | None = None

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def model_path(self) -> Path:
        return self.path / "model.onnx"

    @property
    def engines(self) -> Path:
        """This device's plans, made by `draem build`, never copied to another machine."""
        return self.path / "engines"

    @property
    def model_digest(self) -> str:
        return self.manifest.files["model.onnx"]

    @cached_property
    def fit(self) -> Fit:
        """With the calibration's geometry, else with that of the training.

        Raises ProductError where the alignment's reference picture cannot be used.
        """
        m = self.manifest
        geometry = (self.calibration.geometry if self.calibration else None) or m.geometry
        aligner = read_aligner(self.path, m)
        return Fit(m.height, m.width, m.interpolation, m.crop, geometry, aligner)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the model's input and of its heatmap: of a tile where it has one."""
        return self.manifest.input_shape


def now() -> str:
    """The wall clock as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions(products: Path, name: str) -> list[int]:
    """The versions of a product, oldest first; empty for an unknown one."""
    folder = products / name
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())


def check_name(name: str) -> None:
    """Raise ProductError for a name that cannot be a folder's."""
    if not NAME.fullmatch(name):
        raise ProductError(f"'{name[:100]}' cannot be a product's name: {NAME_RULE}")


def load_product(
    products: Path, name: str, version: str | None = None, only: Container[str] | None = None
) -> Product:
    """A version (default: `current`), every portable file checked against its digest.

    `version` is a number, or "newest". `only` these files are hashed where another process has just
    checked all. Raises ProductError where it is missing or was altered.
    """
    return read_version(find_version(products, name, version), only)


def find_version(products: Path, name: str, version: str | None = None) -> Path:
    """The folder of a version, named as for `load_product`. Raises ProductError if missing."""
    check_name(name)
    known = versions(products, name)
    if not known:
        others = sorted(p.name for p in products.glob("*") if versions(products, p.name))
        exist = f"there are: {', '.join(others)}" if others else "there are none yet"
        raise ProductError(
            f"product '{name}' does not exist in {products} ({exist}): "
            f"name one of them, or make it with 'draem train IMAGES --product {name}'"
        )
    wanted = str(known[-1]) if version == "newest" else version or "current"
    path = products / name / wanted
    choices = ", ".join(map(str, known))
    if wanted == "current" and not path.exists():
        raise ProductError(
            f"no version of '{name}' is current yet: run 'draem release activate {known[-1]} "
            f"--product {name}', or choose --version from {choices}"
        )
    if not (wanted == "current" or wanted.isdecimal()) or not path.is_dir():
        raise ProductError(f"product '{name}' has no version '{wanted}': choose from {choices}")
    return path.resolve()


def read_version(path: Path, only: Container[str] | None = None) -> Product:
    """The version in a folder, completely checked. Raises ProductError as `load_product`."""
    manifest, seal = read_manifest(path)
    for name in (MANIFEST, SEAL):
        _check_place(path, name)
    return read_files(path, manifest, seal, only)


def read_files(
    path: Path, manifest: Manifest, seal: Seal | None, only: Container[str] | None = None
) -> Product:
    """The version of a manifest, its files checked in whatever folder they are."""
    for name, expected in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise ProductError(f"{file} is missing: restore it from a backup or train again")
        _check_place(path, name)
        if (only is None or name in only) and digest(file) != expected:
            raise ProductError(
                f"{file} is not the file that {MANIFEST} names (its SHA-256 differs): "
                "restore it from a backup or train again"
            )
    calibration = None
    if "calibration.json" in manifest.files:
        calibration = read_model(path / "calibration.json", Calibration)
    product = Product(path, manifest, calibration, seal)
    _check_references(product)
    _check_geometry(product)
    return product


def _check_place(path: Path, name: str) -> None:
    """Raise ProductError where a file is a link: what it names could be anywhere, and change."""
    if (path / name).resolve() != path.resolve() / name:
        raise ProductError(
            f"{path / name} is a link to another place: replace it by the file itself"
        )


def _check_references(product: Product) -> None:
    """Raise ProductError where a file names another one that the manifest does not have."""
    calibration, files = product.calibration, product.manifest.files
    if _reads_other_files(product.model_path):
        raise ProductError(
            f"{product.model_path} reads its weights from other files, which could be changed "
            "unnoticed: save it as one file, or train again"
        )
    wanted: dict[str, str] = {}
    if calibration is not None:
        wanted |= {f"calibration/{name}": "calibration.json" for name in calibration.frames}
        wanted |= {REFERENCE: "calibration.json"} if calibration.drift else {}
    if product.manifest.alignment is not None:
        wanted[REFERENCE_FILE] = MANIFEST
    for name in sorted(wanted.keys() - files.keys()):
        raise ProductError(
            f"{wanted[name]} of {product.path} reads {name[:120]!a}, which {MANIFEST} does not "
            "have: train or calibrate again, or import the release again"
        )


def _reads_other_files(model: Path) -> bool:
    """Whether an ONNX model has external data: an entry whose key is `location` (onnx.proto).

    That key is written as its field's number, its length and the word; protobuf allows both
    numbers to be longer than they need be.
    """
    if not model.stat().st_size:
        return False
    with (
        model.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        return EXTERNAL.search(data) is not None


def _check_geometry(product: Product) -> None:
    """Raise ProductError where crop, regions of interest and alignment cannot be used together."""
    try:
        product.fit.usual_placement(product.fit.geometry or Geometry())
    except ValueError as error:
        raise ProductError(
            f"the geometry of {product.name} version {product.version} does not fit it: {error}: "
            "correct the geometry and calibrate again"
        ) from error
