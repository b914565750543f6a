"""What many tests need: images of parts, and small networks that were really trained."""

import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deploy.engine.build import build
from edge.camera.simulated.renderer import PartRenderer
from edge.product.product import Product, load_product
from edge.vision.fit import Fit
from trainer.network.model import Draem
from trainer.simulation.textures import procedural
from trainer.training.distributed import World
from trainer.training.save_product import Trained, save_product
from trainer.training.train import Images, TrainingOutcome, train
from trainer.training.train_settings import TrainSettings

SIZE = 64
FIT = Fit(SIZE, SIZE)


@dataclass(frozen=True)
class Plant:
    """A folder with a trained product `lid`, built for this machine but not calibrated."""

    root: Path
    product: Product

    @property
    def products(self) -> Path:
        return self.root / "products"


for name in [name for name in os.environ if name.upper().startswith("DRAEM_")]:
    del os.environ[name]  # the settings of whoever runs the tests are not theirs


def write_parts(folder: Path, count: int, seed: int, *, defective: bool = False) -> list[Path]:
    """Photographs of simulated lids as PNG, at half size to be quick."""
    folder.mkdir(parents=True, exist_ok=True)
    line = PartRenderer("moulded", seed)
    paths = []
    for i in range(count):
        path = folder / f"part_{i:03d}.png"
        image = line.part(i, defective=defective).image
        cv2.imwrite(str(path), cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA))
        paths.append(path)
    return paths


def write_masks(root: Path, images: list[Path]) -> None:
    """A mask in MVTec's layout for each image of test/<defect>, with a bar for the defect."""
    for path in images:
        mask = np.zeros((240, 320), np.uint8)
        mask[100:120, 100:140] = 255
        truth = root / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
        truth.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(truth), mask)


@pytest.fixture(scope="session")
def good_frames() -> NDArray[np.uint8]:
    """24 fitted good lids, uint8 [24, 64, 64, 3]."""
    line = PartRenderer("moulded", 0)
    return np.stack([FIT(line.part(i).image)[0] for i in range(24)])


@pytest.fixture(scope="session")
def outcome(good_frames: NDArray[np.uint8]) -> TrainingOutcome:
    """Networks of widths 8/16, trained until they find anomalies by colour and by contrast."""
    settings = TrainSettings(
        images=Path("unused"),
        product="lid",
        products=Path("unused"),
        height=SIZE,
        width=SIZE,
        rec_width=8,
        seg_width=16,
        steps=250,
        batch=8,
        learning_rate=1e-3,
        score_window=5,
        simulation="paper",  # so few steps learn textures alone
        device="cpu",
    )
    images = Images(good_frames, good_frames[:8])
    return train(settings, images, World(torch.device("cpu")))


@pytest.fixture(scope="session")
def model(outcome: TrainingOutcome) -> Draem:
    return outcome.model


@pytest.fixture(scope="session")
def plant(
    outcome: TrainingOutcome,
    good_frames: NDArray[np.uint8],
    tmp_path_factory: pytest.TempPathFactory,
) -> Plant:
    """The trained networks as a product with an engine; shared, so tests must not change it."""
    root = tmp_path_factory.mktemp("plant")
    curve = [asdict(point) for point in outcome.curve]
    good = good_frames[:8]
    trained = Trained(outcome.model, FIT, good, procedural, 0, {"images": []}, {}, curve)
    product = save_product(trained, root / "products", "lid", root / "runs")
    build(product, "openvino")
    return Plant(root, load_product(root / "products", "lid"))


@pytest.fixture(scope="session")
def calibrated(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """The same product with a threshold, in a folder of its own."""
    root = tmp_path_factory.mktemp("calibrated")
    (root / "products").symlink_to(plant.products)
    good = root / "good"
    write_parts(good, 40, seed=1)
    done = draem("calibrate", "--product", "lid", "--images", str(good), cwd=root)
    assert done.returncode == 0, done.stderr
    return Plant(root, load_product(root / "products", "lid"))


def draem(*words: str, cwd: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    command = [sys.executable, "-m", "draem", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)
