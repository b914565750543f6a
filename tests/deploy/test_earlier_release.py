"""A release that an earlier version of the program sealed (commit 35b38f2, manifest schema 2)."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from deploy.engine.build import build
from edge.engine import runtimes
from edge.product.product import load_product, read_version
from tests.support.commands import draem_in_process

CONTENT = "80a325694a9888c1402a5fc72b8cee9383e67d7802df629c734792643385db91"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    packed = Path(__file__).with_name("earlier_release.draem.xz").read_bytes()
    (tmp_path / "lid.draem").write_bytes(lzma.decompress(packed))
    return tmp_path / "lid.draem"


def test_an_earlier_release_is_imported_built_and_activated(release: Path) -> None:
    root = release.parent
    for words in (
        ("release", "import", str(release)),
        ("build", "--product", "lid", "--version", "2"),
        ("release", "activate", "2", "--product", "lid"),
        ("release", "show", "2", "--product", "lid"),
    ):
        done = draem_in_process(*words, cwd=root)
        assert done.returncode == 0, done.stderr
    assert CONTENT[:12] in done.stdout
    product = load_product(root / "products", "lid")
    assert (product.manifest.network, product.manifest.rec_width) == ("pixels", 2)
    assert product.calibration is not None


def test_its_engine_gives_the_scores_of_its_calibration(release: Path) -> None:
    assert draem_in_process("release", "import", str(release), cwd=release.parent).returncode == 0
    product = read_version(release.parent / "products/lid/2")
    build(product, "openvino")
    with np.load(product.path / "golden.npz") as golden, runtimes.load(product) as engine:
        score = engine.infer(golden["frames"]).score
        np.testing.assert_allclose(score, golden["score"], atol=0.01)
