"""The reference picture of an alignment, a file of the version: write it, read it back checked."""

from pathlib import Path

from edge.base.errors import ImageError, ProductError
from edge.product.manifest import Manifest
from edge.vision.aligner import LONGEST_SIDE, Aligner, reference_size
from edge.vision.alignment import REFERENCE_FILE
from edge.vision.image_files import read_image, write_png

MOST_BYTES = 4 * LONGEST_SIDE**2
"""More than its PNG can have."""


def write_reference(folder: Path, aligner: Aligner) -> None:
    """Without loss."""
    write_png(folder / REFERENCE_FILE, aligner.reference)


def read_aligner(folder: Path, manifest: Manifest) -> Aligner | None:
    """What a version aligns its parts by; None where it does not. Raises ProductError."""
    if manifest.alignment is None:
        return None
    path, size = folder / REFERENCE_FILE, reference_size(manifest.height, manifest.width)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ImageError(f"{path} is larger than a reference picture can be")
        picture = read_image(path)
    except (OSError, ImageError) as error:
        raise ProductError(f"{error}: restore it from a backup or train again") from error
    if picture.shape[:2] != size:
        raise ProductError(
            f"{path} is {picture.shape[1]}x{picture.shape[0]}, and belongs to a picture of another "
            "size than the network's input: restore it from a backup or train again"
        )
    return Aligner(manifest.alignment, picture)
