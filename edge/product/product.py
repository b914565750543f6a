"""A product's folder: what the trainer makes, the device proves, and the line runs.

products/<name>/<version>/   model.onnx, golden.npz, sources.json, manifest.json; once calibrated
                             also calibration.json and calibration/; once sealed also seal.json;
                             engines/ belongs to this device
products/<name>/current      symlink to the version that runs

A version is written to a temporary name and renamed when it is whole, and never changed after;
edge/product/versions.py does so.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edge.base.errors import ProductError
from edge.base.files import digest
from edge.product.seal import SEAL, Seal, content_digest
from edge.vision.calibration import Calibration
from edge.vision.fit import Fit, Interpolation
from edge.vision.frame import Box
from edge.vision.geometry import Geometry

Record = TypeVar("Record", bound=BaseModel)

MANIFEST = "manifest.json"
SCHEMA = 2
REQUIRED = {"model.onnx", "golden.npz", "sources.json"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Manifest(BaseModel):
    """The portable part of a version: its input, its networks and each file's SHA-256.

    The score is the maximum of the heatmap averaged over a square of `score_window` pixels a side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    manifest_schema: int = SCHEMA
    name: str
    version: str
    created: str
    height: int = Field(ge=32, multiple_of=32)
    width: int = Field(ge=32, multiple_of=32)
    interpolation: Interpolation
    crop: Box | None
    rec_width: int
    seg_width: int
    score_window: int = Field(ge=1)
    origin: dict[str, str | int | float | bool | None]
    files: dict[str, str]
    geometry: Geometry | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_schema_1(cls, values: object) -> object:
        """Schema 1 had the authors' window, 21 at 256x256, and did not say so."""
        if not isinstance(values, dict) or values.get("manifest_schema") != 1:
            return values
        sides = [values.get("height"), values.get("width")]
        side = min((s for s in sides if isinstance(s, int)), default=0)
        return {"score_window": 2 * (21 * side // 512) + 1, **values, "manifest_schema": SCHEMA}

    @field_validator("manifest_schema")
    @classmethod
    def _known(cls, found: int) -> int:
        """Of the first field, so that it is told before all that another schema has otherwise."""
        if found != SCHEMA:
            raise ValueError(
                f"manifest schema {found} is of another program than this one, which reads "
                f"{SCHEMA}: update it"
            )
        return found

    @field_validator("score_window")
    @classmethod
    def _can_be(cls, window: int, info: ValidationInfo) -> int:
        sides = (info.data.get("height", 32), info.data.get("width", 32))
        if window % 2 == 0 or window > min(sides):
            raise ValueError("an odd number that fits into the picture")
        return window


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
        """This device's plans; made by `draem build`, never carried to another machine."""
        return self.path / "engines"

    @property
    def model_digest(self) -> str:
        return self.manifest.files["model.onnx"]

    @property
    def fit(self) -> Fit:
        """With the geometry of the calibration, else with that of the training."""
        m = self.manifest
        calibrated = self.calibration.geometry if self.calibration else None
        return Fit(m.height, m.width, m.interpolation, m.crop, calibrated or m.geometry)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the model's input and of its heatmap."""
        return self.manifest.height, self.manifest.width


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
    """Raise ProductError for a name that could not be a folder of its own."""
    if not NAME.fullmatch(name):
        raise ProductError(
            f"'{name}' cannot be a product's name: use letters, digits, '_', '-' and '.'"
        )


def load_product(products: Path, name: str, version: str | None = None) -> Product:
    """A version (`current` unless told otherwise), every portable file held to its digest.

    `version` is a number, or "newest". Raises ProductError where it is missing or was altered.
    """
    return read_version(find_version(products, name, version))


def find_version(products: Path, name: str, version: str | None = None) -> Path:
    """The folder of a version, named as for `load_product`. Raises ProductError where it is not."""
    check_name(name)
    known = versions(products, name)
    if not known:
        have = sorted(p.name for p in products.glob("*") if versions(products, p.name))
        there = f"there are: {', '.join(have)}" if have else "there are none yet"
        raise ProductError(
            f"product '{name}' does not exist in {products} ({there}): "
            f"name one of them, or make it with 'draem train IMAGES --product {name}'"
        )
    wanted = str(known[-1]) if version == "newest" else version or "current"
    path = products / name / wanted
    if wanted == "current" and not path.exists():
        raise ProductError(
            f"no version of '{name}' is current yet: run 'draem release activate {known[-1]} "
            f"--product {name}', or choose --version from {', '.join(map(str, known))}"
        )
    if not (wanted == "current" or wanted.isdecimal()) or not path.is_dir():
        raise ProductError(
            f"product '{name}' has no version '{wanted}': choose from {', '.join(map(str, known))}"
        )
    return path.resolve()


def read_version(path: Path) -> Product:
    """The version in a folder, checked whole. Raises ProductError as `load_product`."""
    manifest, seal = read_manifest(path)
    for name, expected in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise ProductError(f"{file} is missing: restore it from a backup or train again")
        if digest(file) != expected:
            raise ProductError(
                f"{file} is not the file that {MANIFEST} names (its SHA-256 differs): "
                "restore it from a backup or train again"
            )
    calibration = None
    if "calibration.json" in manifest.files:
        calibration = _read_record(path / "calibration.json", Calibration)
    return Product(path, manifest, calibration, seal)


def read_manifest(path: Path) -> tuple[Manifest, Seal | None]:
    """A version's manifest, held to its seal where it has one; its files are not looked at.

    Raises ProductError as `load_product`.
    """
    manifest = _read_record(path / MANIFEST, Manifest)
    check_manifest(manifest, path)
    if (manifest.name, manifest.version) != (path.parent.name, path.name):
        raise ProductError(
            f"{path} calls itself {manifest.name} version {manifest.version}: a version's folder "
            "can be neither renamed nor copied to another name; remove it, or move it back"
        )
    if not (path / SEAL).exists():
        return manifest, None
    seal = _read_record(path / SEAL, Seal)
    if seal.content != content_of(path):
        raise ProductError(
            f"{path} is sealed, and {MANIFEST} is not the one that was sealed: "
            "restore it from a backup, or import the release again"
        )
    return manifest, seal


def check_manifest(manifest: Manifest, place: Path) -> None:
    """Raise ProductError for a manifest that this program cannot serve."""
    for name in REQUIRED - manifest.files.keys():
        raise ProductError(f"{MANIFEST} of {place} does not name {name}: restore it or train again")


def content_of(path: Path) -> str:
    """What a version holds, as one digest, whatever its number."""
    return content_digest(json.loads((path / MANIFEST).read_text(encoding="utf-8")))


def first_line(error: Exception) -> str:
    """An error's cause without the pages that pydantic adds."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).split("\n", 1)[0]


def _read_record(path: Path, kind: type[Record]) -> Record:
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProductError(
            f"{path} cannot be read ({first_line(error)}): restore it from a backup or train again"
        ) from error
