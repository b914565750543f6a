"""manifest.json: the portable part of a version, held to its seal."""

import json
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edge.base.errors import ProductError
from edge.base.validation import first_cause, load_json, parse_json, read_bytes, read_json
from edge.product.seal import SEAL, Seal, content_digest
from edge.vision.alignment import Alignment
from edge.vision.fit import Interpolation
from edge.vision.frame import Box
from edge.vision.geometry import Geometry
from edge.vision.tiles import MULTIPLE, Tile, TilePlan

Model = TypeVar("Model", bound=BaseModel)

MANIFEST = "manifest.json"
SCHEMA = 4
REQUIRED = {"model.onnx", "golden.npz", "sources.json"}
MOST_FILES = 2000
MOST_PIXELS = 1 << 16
"""Of a side of a camera's frame."""
PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
MEMBER = re.compile(rf"{PART}(/{PART})*")
LONGEST_NAME = 99
"""Of a tar's member."""

MOST_PICTURE_PIXELS = 1 << 26
"""Of what is judged at once: 64 megapixels."""
Side = Annotated[int, Field(ge=32, le=1 << 14)]
Width = Annotated[int, Field(ge=1, le=1 << 16)]


class Manifest(BaseModel):
    """A version's input, its networks and each portable file's SHA-256.

    With an `alignment` one of the files is its reference picture.

    `height` and `width` are those of the picture that is judged. The network's input has the same,
    or is a `tile` of it. The score is the maximum of the heatmap averaged over a square of
    `score_window` pixels a side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    manifest_schema: int = SCHEMA
    name: str
    version: str
    created: str
    height: Side
    width: Side
    interpolation: Interpolation
    crop: Box | None
    network: Literal["features", "pixels"]
    backbone: str | None
    rec_width: Width
    seg_width: Width
    score_window: int = Field(ge=1)
    memory: int = Field(0, ge=0, le=1 << 16)
    origin: dict[str, str | int | float | bool | None]
    files: dict[str, str]
    geometry: Geometry | None = None
    alignment: Alignment | None = None
    tile: Tile | None = None

    @property
    def input_shape(self) -> tuple[int, int]:
        """Height and width of the network's input and of its heatmap."""
        size = self.tile or self
        return size.height, size.width

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

    @field_validator("crop")
    @classmethod
    def _crop_is_possible(cls, crop: Box | None) -> Box | None:
        if crop is not None:
            x, y, width, height = crop
            inside = x + width <= MOST_PIXELS and y + height <= MOST_PIXELS
            if not (x >= 0 and y >= 0 and width >= 1 and height >= 1 and inside):
                raise ValueError(f"{x},{y},{width},{height} lies in no frame")
        return crop

    @field_validator("files")
    @classmethod
    def _files_are_possible(cls, files: dict[str, str]) -> dict[str, str]:
        if len(files) > MOST_FILES:
            raise ValueError(f"it has more than {MOST_FILES} files")
        for name, sha256 in files.items():
            if not MEMBER.fullmatch(name) or len(name) > LONGEST_NAME or name in (MANIFEST, SEAL):
                raise ValueError(
                    f"the name {ascii(name)[:120]} is not one that a version's file may have"
                )
            if name.partition("/")[0] == "engines":
                raise ValueError(f"the name {name!a} is of an engine, which belongs to its device")
            if not re.fullmatch("[0-9a-f]{64}", sha256):
                raise ValueError(f"what it has for {name!a} is no SHA-256")
        folders = {str(folder) for name in files for folder in PurePosixPath(name).parents}
        if both := sorted(folders & files.keys()):
            raise ValueError(f"the name {both[0]!a} is a file's and a folder's")
        return files

    @field_validator("score_window")
    @classmethod
    def _window_is_possible(cls, window: int, info: ValidationInfo) -> int:
        sides = (info.data.get("height", 32), info.data.get("width", 32))
        if window % 2 == 0 or window > min(sides):
            raise ValueError("give an odd number that fits into the image")
        return window

    @model_validator(mode="after")
    def _input_is_possible(self) -> "Manifest":
        if self.height * self.width > MOST_PICTURE_PIXELS:
            raise ValueError(f"a picture has at most {MOST_PICTURE_PIXELS} pixels")
        if any(side % MULTIPLE for side in self.input_shape):
            raise ValueError(
                f"{self.width}x{self.height}: sides of an input are multiples of {MULTIPLE}"
            )
        if self.tile is not None:
            TilePlan(self.height, self.width, self.tile)
            if self.score_window > min(self.input_shape):
                raise ValueError("the score_window is larger than the tile")
        return self


def read_manifest(path: Path) -> tuple[Manifest, Seal | None]:
    """A version's manifest, checked against its seal where it has one; other files are not read.

    Raises ProductError where either is missing or was altered.
    """
    try:
        manifest = parse_manifest(read_bytes(path / MANIFEST))
    except (OSError, ValueError) as error:
        raise _cannot_be_read(path / MANIFEST, error) from error
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
    return content_digest(raw_manifest(read_bytes(path / MANIFEST)))


def parse_manifest(data: bytes) -> Manifest:
    """A manifest of this schema or an earlier one. Raises ValueError.

    Schema 3 had neither tiles nor an alignment nor a memory, schema 2 networks on pixels only, and
    schema 1 their window alone, 21 at 256x256.
    """
    values = raw_manifest(data)
    missing: dict[str, object] = {}
    if values.get("manifest_schema") in (1, 2):
        sides = [values.get("height"), values.get("width")]
        side = min((s for s in sides if isinstance(s, int)), default=0)
        window = 2 * (21 * side // 512) + 1
        missing = {"score_window": window, "network": "pixels", "backbone": None}
    if values.get("manifest_schema") in (1, 2, 3):
        data = json.dumps({**missing, **values, "manifest_schema": SCHEMA}).encode()
    return parse_json(data, Manifest)


def raw_manifest(data: bytes) -> dict[str, object]:
    """A manifest as it was written, for its digest. Raises ValueError."""
    raw = load_json(data)
    if not isinstance(raw, dict):
        raise ValueError("a manifest is an object")
    return raw


def read_model(path: Path, model: type[Model]) -> Model:
    """A JSON file as a pydantic model. Raises ProductError."""
    try:
        return read_json(path, model)
    except (OSError, ValueError) as error:
        raise _cannot_be_read(path, error) from error


def _cannot_be_read(path: Path, error: Exception) -> ProductError:
    return ProductError(
        f"{path} cannot be read ({first_cause(error)}): restore it from a backup or train again"
    )
