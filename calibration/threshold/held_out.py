"""Which frames a calibration looks at: those that training did not see."""

import logging
from collections.abc import Sequence
from pathlib import Path

from edge.base.errors import ImageError, ProductError
from edge.base.files import digest
from edge.product.product import Product
from edge.product.sources import Source, seen_in_training, sources
from edge.vision.good_parts import good_images
from edge.vision.marked_images import ARCHIVE, marked_as, provenance

log = logging.getLogger(__name__)


def held_out(product: Product) -> list[Path]:
    """The images that were set aside for calibration, unchanged where they were found.

    Raises ProductError or ImageError where there are none, or they have moved or changed.
    """
    kept = [image for image in sources(product) if image["split"] == "calibration"]
    if not kept:
        raise ProductError(f"{product.name} came without images: add --images DIR with good frames")
    if archived := next((i for i in kept if str(i["path"]).startswith(ARCHIVE)), None):
        raise ImageError(
            f"{product.name} version {product.version} was calibrated with pictures of an archive "
            f"({archived['path']} and others): name them again with --images 'archive:QUERY'"
        )
    paths = [Path(str(image["path"])) for image in kept]
    for path, image in zip(paths, kept, strict=True):
        if not path.is_file() or digest(path) != image["sha256"]:
            raise ImageError(
                f"{path}, set aside for calibration, is gone or has changed: restore it, "
                "or add --images DIR with good frames"
            )
    return paths


def unseen(product: Product, folders: Sequence[Path], archived: Sequence[Path] = ()) -> list[Path]:
    """The good images of `folders`, and `archived` ones, less those that training saw.

    Raises ImageError where none is left.
    """
    used = seen_in_training(product)
    paths = [*good_images(*folders), *archived]
    left = [path for path in paths if digest(path) not in used]
    if len(left) < len(paths):
        log.info("%d images left out: training saw them", len(paths) - len(left))
    if not left:
        raise ImageError(f"training saw all {len(paths)} images: add --images DIR with new ones")
    return left


def listed(paths: list[Path], split: str) -> list[Source]:
    """These images as sources.json has them; one from a line says which part it shows."""
    return [
        {"sha256": digest(path), "path": str(path.resolve()), "split": split, **provenance(path)}
        for path in paths
    ]


def check_marks(good: list[Path], bad: list[Path]) -> None:
    """Raise ImageError for a missed defect among the good frames, or a good part among the bad.

    Frames that somebody has picked are told: bounds hold for parts as they come.
    """
    for paths, wrong, kind in ((good, "missed", "good"), (bad, "false-reject", "bad")):
        for path in paths:
            if marked_as(path) == wrong:
                raise ImageError(f"{path} is marked as {wrong}: it is no {kind} part, leave it out")
    both = {digest(path) for path in good} & {digest(path) for path in bad}
    if both:
        twice = next(path for path in good if digest(path) in both)
        raise ImageError(f"{twice} is among the good frames and among the bad: leave one out")
    if picked := sum(bool(marked_as(path)) for path in (*good, *bad)):
        log.warning(
            "%d frames were picked, by people or by their verdict: bounds hold for parts as they "
            "come, not for picked",
            picked,
        )
