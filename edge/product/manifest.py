"""manifest.json: the portable part of a version, held to its seal."""

import json
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from edge.base.errors import ProductError
from edge.base.files import read_text
from edge.base.validation import first_cause
from edge.product.seal import SEAL, Seal, content_digest
from edge.vision.fit import Interpolation
from edge.vision.frame import Box
from edge.vision.geometry import Geometry

Model = TypeVar("Model", bound=BaseModel)

MANIFEST = "manifest.json"
SCHEMA = 3
REQUIRED = {"model.onnx", "golden.npz", "sources.json"}


class Manifest(BaseModel):
    """A version's input, its networks and each portable file's SHA-256.

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
    network: Literal["features", "pixels"]
    backbone: str | None
    rec_width: int
    seg_width: int
    score_window: int = Field(ge=1)
    origin: dict[str, str | int | float | bool | None]
    files: dict[str, str]
    geometry: Geometry | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_earlier_schema(cls, values: object) -> object:
        """Schema 2 had networks on pixels only; schema 1 their window alone, 21 at 256x256."""
        if not isinstance(values, dict) or values.get("manifest_schema") not in (1, 2):
            return values
        sides = [values.get("height"), values.get("width")]
        side = min((s for s in sides if isinstance(s, int)), default=0)
        missing = {
            "score_window": 2 * (21 * side // 512) + 1,
            "network": "pixels",
            "backbone": None,
        }
        return {**missing, **values, "manifest_schema": SCHEMA}

    @field_validator("manifest_schema")
    @classmethod
    def _schema_is_known(cls, found: int) -> int:
        """On the first field, so that its error is reported before those of changed fields."""
        if found != SCHEMA:
            raise ValueError(
                f"manifest schema {found} is of another program version, this one reads {SCHEMA}: "
                "update it"
            )
        return found

    @field_validator("score_window")
    @classmethod
    def _window_is_possible(cls, window: int, info: ValidationInfo) -> int:
        sides = (info.data.get("height", 32), info.data.get("width", 32))
        if window % 2 == 0 or window > min(sides):
            raise ValueError("give an odd number that fits into the image")
        return window


def read_manifest(path: Path) -> tuple[Manifest, Seal | None]:
    """A version's manifest, checked against its seal where it has one; other files are not read.

    Raises ProductError where either is missing or was altered.
    """
    manifest = read_model(path / MANIFEST, Manifest)
    check_files(manifest, path)
    if (manifest.name, manifest.version) != (path.parent.name, path.name):
        raise ProductError(
            f"{path} is {manifest.name} version {manifest.version} by its manifest: a version's "
            "folder cannot be renamed or copied to another name; remove it, or move it back"
        )
    if not (path / SEAL).exists():
        return manifest, None
    seal = read_model(path / SEAL, Seal)
    if seal.content != content_of(path):
        raise ProductError(
            f"{path} is sealed, and {MANIFEST} is not the one that was sealed: "
            "restore it from a backup, or import the release again"
        )
    return manifest, seal


def check_files(manifest: Manifest, place: Path) -> None:
    """Raise ProductError unless the manifest names all required files."""
    for name in REQUIRED - manifest.files.keys():
        raise ProductError(f"{MANIFEST} of {place} does not name {name}: restore it or train again")


def content_of(path: Path) -> str:
    """One digest of all that a version contains, whatever its number."""
    return content_digest(json.loads(read_text(path / MANIFEST, ProductError)))


def read_model(path: Path, model: type[Model]) -> Model:
    """A JSON file as a pydantic model. Raises ProductError."""
    try:
        return model.model_validate_json(read_text(path, ProductError))
    except (OSError, ValueError) as error:
        raise ProductError(
            f"{path} cannot be read ({first_cause(error)}): restore it from a backup or train again"
        ) from error
