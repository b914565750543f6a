"""Metrics on labelled images, where the product looks and where masks are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.engine import Inspection
from edge.errors import ImageError
from edge.product import Manifest, Product
from trainer.evaluate import evaluate, reduce_mask

CROP = (40, 20, 64, 64)


class Seer:
    """Stands in for an engine: bright is hot."""

    def infer(self, batch: NDArray[np.uint8]) -> Inspection:
        heatmap = np.asarray(batch[..., 0] / 255, np.float32)
        return Inspection(np.asarray(heatmap.max(axis=(1, 2)), np.float32), heatmap)


def product(crop: tuple[int, int, int, int] | None) -> Product:
    manifest = Manifest(
        name="lid",
        version="1",
        created="2026-01-01",
        height=64,
        width=64,
        interpolation="area",
        crop=crop,
        rec_width=8,
        seg_width=4,
        origin={},
        files={},
    )
    return Product(Path("unused"), manifest, None)


def labelled(root: Path, *, masks: bool = True) -> Path:
    """Two good images and two with a bright spot, in MVTec layout."""
    for kind in ("test/good", "test/spot", "ground_truth/spot"):
        (root / kind).mkdir(parents=True)
    for i in range(2):
        image = np.zeros((100, 160), np.uint8)
        cv2.imwrite(str(root / f"test/good/{i}.png"), image)
        image[40 + i : 52 + i, 60:72] = 255
        cv2.imwrite(str(root / f"test/spot/{i}.png"), image)
        if masks:
            cv2.imwrite(str(root / f"ground_truth/spot/{i}_mask.png"), image)
    return root


@pytest.mark.parametrize("crop", [None, CROP])
def test_a_perfect_map_is_perfect_with_and_without_a_crop(
    crop: tuple[int, int, int, int] | None, tmp_path: Path
) -> None:
    metrics = evaluate(product(crop), Seer(), labelled(tmp_path))  # type: ignore[arg-type]
    assert (metrics.images, metrics.defective) == (4, 2)
    assert metrics.image_auroc == 1
    assert metrics.pixel_ap is not None
    assert metrics.pixel_ap > 0.95


def test_without_masks_there_is_no_pixel_figure(tmp_path: Path) -> None:
    root = labelled(tmp_path, masks=False)
    assert evaluate(product(None), Seer(), root).pixel_ap is None  # type: ignore[arg-type]


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="test/good"):
        evaluate(product(None), Seer(), tmp_path)  # type: ignore[arg-type]
    root = labelled(tmp_path)
    with pytest.raises(ImageError, match="crop"):
        evaluate(product((0, 0, 500, 500)), Seer(), root)  # type: ignore[arg-type]


def test_no_defect_pixel_is_lost_when_a_mask_shrinks() -> None:
    mask = np.zeros((900, 900), np.bool_)
    mask[123, 456] = True
    assert 1 <= reduce_mask(mask).sum() <= 2, "a pixel may touch two of the smaller grid"
