"""sources.json: every image behind a version, by content."""

from pydantic import BaseModel, ConfigDict

from edge.product.manifest import read_model
from edge.product.product import Product

Source = dict[str, object]
SEEN = ("train", "validation")


class _Source(BaseModel):
    """An image; one from a line also says which part it shows."""

    model_config = ConfigDict(extra="allow")
    sha256: str
    path: str
    split: str


class _Sources(BaseModel):
    images: list[_Source]


def sources(product: Product) -> list[Source]:
    """Every image behind a product, as sources.json has it. Raises ProductError."""
    return [
        image.model_dump() for image in read_model(product.path / "sources.json", _Sources).images
    ]


def seen_in_training(product: Product) -> set[object]:
    """Digests of the images that its networks were trained or chosen with."""
    return {image["sha256"] for image in sources(product) if image["split"] in SEEN}
