"""Good frames for a calibration: those that training did not see."""

import json
import logging
from pathlib import Path

from edge.errors import ImageError, ProductError
from edge.files import digest
from edge.images import find_images
from edge.product import Product

log = logging.getLogger(__name__)


def held_out(product: Product) -> list[Path]:
    """The images that training set aside for calibration, unchanged where it found them.

    Raises ProductError or ImageError where there are none, or they have moved or changed.
    """
    kept = [image for image in _sources(product) if image["split"] == "calibration"]
    if not kept:
        raise ProductError(f"{product.name} came without images: add --images DIR with good frames")
    for image in kept:
        path = Path(image["path"])
        if not path.is_file() or digest(path) != image["sha256"]:
            raise ImageError(
                f"{path}, set aside for calibration, is gone or has changed: restore it, "
                "or add --images DIR with good frames"
            )
    return [Path(image["path"]) for image in kept]


def unseen(product: Product, folder: Path) -> list[Path]:
    """The images of `folder` less those that training or validation used, told with their count."""
    used = {i["sha256"] for i in _sources(product) if i["split"] != "calibration"}
    paths = find_images(folder)
    left = [path for path in paths if digest(path) not in used]
    if len(left) < len(paths):
        log.info("%d images left out: training saw them", len(paths) - len(left))
    if not left:
        raise ImageError(f"training saw every image of {folder}: add --images DIR with new ones")
    return left


def _sources(product: Product) -> list[dict[str, str]]:
    record = json.loads((product.path / "sources.json").read_text(encoding="utf-8"))
    images: list[dict[str, str]] = record["images"]
    return images
