"""simulated.npz as training writes it, and as it may not be."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.base.errors import ProductError
from edge.product.product import Product
from edge.product.simulated import SIMULATED, read_simulated
from tests.conftest import Plant


def test_int8_is_proven_on_frames_that_nothing_was_chosen_by(plant: Plant) -> None:
    simulated = read_simulated(plant.product)
    assert simulated is not None
    count = len(simulated.masks)
    for frames, masks in (simulated.choosing(), simulated.proving()):
        assert len(frames) == 2 * len(masks)
        changed = (frames[: len(masks)] != frames[len(masks) :]).any(axis=3)
        assert changed.any(axis=(1, 2)).all(), "each with its anomaly, and without"
        assert (changed & masks).any(axis=(1, 2)).all(), "where the mask says"
    assert len(simulated.choosing()[1]) + len(simulated.proving()[1]) == count
    assert len(simulated.score) == len(simulated.proving()[0])
    assert 0.5 < simulated.image_auroc <= 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("frames", np.zeros((4, 64, 64, 3), np.uint8), "frames is"),
        ("masks", np.zeros((64, 64, 8), np.uint8), "a mask is empty"),
        ("score", np.full(64, np.nan, np.float32), "not finite"),
        ("pixel_ap", np.float64(np.nan), "no shares"),
    ],
)
def test_int8_proof_refuses_spoiled_frames(
    plant: Plant, tmp_path: Path, name: str, value: np.ndarray, says: str
) -> None:
    with np.load(plant.product.path / SIMULATED) as stored:
        np.savez(tmp_path / SIMULATED, **{**stored, name: value})
    shutil.copy(plant.product.model_path, tmp_path)
    with pytest.raises(ProductError, match=says):
        read_simulated(Product(tmp_path, plant.product.manifest, None))
