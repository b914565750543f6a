"""Labelled parts of an archive as labelled images."""

import logging
from collections.abc import Sequence

from edge.archive.data_set import ArchivedPicture
from edge.product.product import Product
from edge.product.sources import seen_in_training
from trainer.data.layout import LabelledImages

log = logging.getLogger(__name__)


def labelled(pictures: Sequence[ArchivedPicture]) -> LabelledImages:
    """Their newest labels as kinds of defects; there are no masks."""
    return LabelledImages({picture.path: picture.defect for picture in pictures}, {}, [])


def warn_of_seen(pictures: Sequence[ArchivedPicture], product: Product) -> None:
    """Log how many pictures a version was trained with: it has learned that these are good."""
    seen = seen_in_training(product)
    if count := sum(picture.part.picture in seen for picture in pictures):
        log.warning(
            "version %s was trained with %d of %d pictures: on new parts it is not as good",
            *(product.version, count, len(pictures)),
        )
