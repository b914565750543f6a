"""What many tests need: images of parts, and a small product that was really trained."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import edge.engine.openvino  # noqa: F401  before any test imports OpenVINO itself
from deploy.engine.build import build
from edge.camera.simulated.renderer import PartRenderer
from edge.product.product import Product, load_product
from edge.vision.fit import Fit
from tests.support.commands import draem_in_process
from trainer.data.sources import Images
from trainer.network.pixels.model import Draem
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.training.distributed import ProcessGroup
from trainer.training.save_product import Trained, load_weights, save_product
from trainer.training.settings import TrainSettings
from trainer.training.train import train

SIZE = 64
FIT = Fit(SIZE, SIZE)


@dataclass(frozen=True)
class Plant:
    """A folder with a trained product `lid`, built for this machine."""

    root: Path
    product: Product

    @property
    def products(self) -> Path:
        return self.root / "products"


for name in [name for name in os.environ if name.upper().startswith("DRAEM_")]:
    del os.environ[name]  # settings of the shell that runs the tests
# Threads of several processes wait for each other on the same cores, and change the last bits.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)


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


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills once for all processes of a test run; tests must not change it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # each worker has a folder of its own in it
    folder, draft = base / name, base / f"{name}.draft"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            make(draft)
            draft.rename(folder)
    return folder


@pytest.fixture(scope="session")
def plant(good_frames: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """Networks of widths 4/8 that find anomalies by colour and contrast, as a built product."""

    def make(root: Path) -> None:
        settings = TrainSettings(
            images=Path("unused"),
            product="lid",
            products=Path("unused"),
            height=SIZE,
            width=SIZE,
            network="pixels",
            schedule="one-cycle",
            rec_width=4,
            seg_width=8,
            steps=120,
            batch=4,
            learning_rate=6e-3,
            score_window=5,
            simulation="paper",  # so few steps learn textures only
            precision="float32",
            device="cpu",
        )
        good = good_frames[:8]
        group = ProcessGroup(torch.device("cpu"))
        outcome = train(settings, Images(good_frames, good), group)
        curve = [asdict(point) for point in outcome.curve]
        trained = Trained(
            outcome.model,
            FIT,
            good,
            procedural,
            0,
            {"images": []},
            {},
            curve,
            simulation=Simulation(procedural),
        )
        build(save_product(trained, root / "products", "lid", root / "runs"), "openvino")

    root = made_once(tmp_path_factory, "plant", make)
    return Plant(root, load_product(root / "products", "lid"))


@pytest.fixture(scope="session")
def model(plant: Plant) -> Draem:
    """The trained networks of `plant`."""
    model = load_weights(plant.product, plant.root / "runs")
    assert isinstance(model, Draem)
    return model


@pytest.fixture(scope="session")
def calibrated(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """The same product with a threshold, in a folder of its own."""

    def make(root: Path) -> None:
        shutil.copytree(plant.products, root / "products", symlinks=True)
        write_parts(root / "good", 40, seed=1)
        done = draem_in_process("calibrate", "--product", "lid", "--images", "good", cwd=root)
        assert done.returncode == 0, done.stderr

    root = made_once(tmp_path_factory, "calibrated", make)
    return Plant(root, load_product(root / "products", "lid"))


def draem(*words: str, cwd: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    command = [sys.executable, "-m", "draem", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)
