"""What people have chosen for a product's next training: web/products/NAME/draft.json."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.base.errors import ProductError
from edge.base.files import write_atomic, write_json
from edge.base.validation import first_cause, read_json
from edge.product.product import check_name
from edge.vision.frame import Box
from edge.vision.geometry import Geometry, GeometryError, read_geometry
from edge.vision.polygon import Polygon

STATION_GEOMETRY = Path("geometry.json")
"""What `draem station` has measured here, if anything."""

Side = Annotated[int, Field(ge=32, le=8192, multiple_of=32)]


class Draft(BaseModel):
    """The choices; a default is left to the command.

    `looked_through` counts the pictures when somebody said that they all show good parts.
    `seen` is the width and height of the picture that crop and regions were drawn on.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    looked_through: int = 0
    viewed: bool = False
    crop: Box | None = None
    regions: dict[str, Polygon] = {}
    corrected: bool = False
    rotation: float = Field(0, ge=0, le=180)
    mirror: bool = False
    light: float = Field(0, ge=0, le=0.9)
    network: Literal["features", "pixels"] = "features"
    size: Literal["tiny", "small", "standard", "paper"] | None = None
    input: Side | None = None
    tile: Side | None = None
    max_minutes: float | None = Field(None, gt=0, le=100_000)
    steps: int | None = Field(None, ge=1, le=10_000_000)
    also: str = Field("", max_length=500)


class DraftFolder:
    """The draft, the preview and the tries of one product."""

    def __init__(self, web: Path, product: str) -> None:
        check_name(product)
        self.path = web / "products" / product
        self.preview, self.tries = self.path / "preview.png", self.path / "tries"
        self.geometry = self.path / "geometry.json"

    def read(self) -> Draft:
        """The draft; a new one where there is none. Raises ProductError."""
        path = self.path / "draft.json"
        try:
            return read_json(path, Draft)
        except FileNotFoundError:
            return Draft()
        except (OSError, ValueError) as error:
            raise ProductError(f"{path}: {first_cause(error)}: remove it") from error

    def write(self, draft: Draft) -> None:
        """Keep a draft, with the geometry that its regions need. Raises DraemError."""
        self.path.mkdir(parents=True, exist_ok=True)
        geometry = geometry_of(draft)
        if geometry is not None:
            write_json(self.geometry, geometry.model_dump(mode="json"))
        write_atomic(self.path / "draft.json", draft.model_dump_json(indent=2).encode())


def changed(draft: Draft, **values: object) -> Draft:
    """The draft with other values, checked. Raises ProductError."""
    try:
        made = Draft.model_validate(draft.model_dump() | values)
    except ValueError as error:
        raise ProductError(f"{first_cause(error)}: correct it") from error
    geometry_of(made)
    return made


def geometry_of(draft: Draft) -> Geometry | None:
    """The station's geometry, with the draft's regions; None where neither is wanted."""
    if not draft.regions and not draft.corrected:
        return None
    base = read_geometry(STATION_GEOMETRY) if draft.corrected else Geometry()
    try:
        values = base.model_dump() | {"regions_of_interest": draft.regions}
        return Geometry.model_validate(values)
    except ValueError as error:
        raise GeometryError(f"{first_cause(error)}: draw it again") from error
