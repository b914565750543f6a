"""Published checkpoint pairs: they load, score as the authors do, and wrong files are named."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from edge.engine import runtimes
from edge.product.product import load_product
from tests.support.commands import draem_in_process
from trainer.network.onnx_export import build_onnx
from trainer.network.pixels.model import Draem
from trainer.network.pixels.published_weights import CheckpointError, load_pair


@pytest.fixture(scope="module")
def pair(model: Draem, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two bare state dicts, as the authors' code saves them."""
    folder = tmp_path_factory.mktemp("checkpoint")
    rec, seg = folder / "run_lid_.pckl", folder / "run_lid__seg.pckl"
    torch.save(model.reconstructive.state_dict(), rec)
    torch.save(model.discriminative.state_dict(), seg)
    return rec, seg


def authors_score(model: Draem, image: np.ndarray, side: int = 64) -> tuple[float, np.ndarray]:
    """What the authors' test script does with one image, at our size and window."""
    resized = cv2.resize(image, dsize=(side, side))
    x = torch.from_numpy(np.transpose(resized / 255.0, (2, 0, 1))[None].astype(np.float32))
    with torch.no_grad():
        rebuilt = model.reconstructive(x)
        logits = model.discriminative(torch.cat((rebuilt, x), dim=1))
        heatmap = torch.softmax(logits, dim=1)[:, 1:]
        window = 2 * (21 * side // 512) + 1
        pooled = avg_pool2d(heatmap, window, stride=1, padding=window // 2)
    return float(pooled.max()), heatmap[0, 0].numpy()


@pytest.fixture(scope="module")
def anomalous() -> list[np.ndarray]:
    """Coloured blots on lids, some translucent: what these weights were trained to see."""
    from edge.camera.simulated.renderer import PartRenderer

    line = PartRenderer("moulded", 5)
    images = []
    for i in range(8):
        image = line.part(i).image.copy()
        colour = [(20, 30, 200), (240, 240, 30), (10, 10, 10), (60, 200, 60)][i % 4]
        cv2.circle(image, (220 + 25 * i, 180 + 15 * i), 24, colour, -1)
        image = np.asarray(
            cv2.addWeighted(line.part(i).image, i % 2 * 0.5, image, 1 - i % 2 * 0.5, 0)
        )
        images.append(image)
    return images


def test_an_imported_pair_gives_the_authors_scores(
    pair: tuple[Path, Path],
    model: Draem,
    anomalous: list[np.ndarray],
    tmp_path: Path,
) -> None:
    done = draem_in_process(
        "import", *map(str, pair), "--product", "lid", "--input", "64", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert draem_in_process("build", "--product", "lid", cwd=tmp_path).returncode == 0
    product = load_product(tmp_path / "products", "lid")
    assert (product.manifest.rec_width, product.manifest.seg_width) == (4, 8)
    assert product.manifest.interpolation == "linear"
    assert product.manifest.score_window == 5, "the authors' 21 at 256"
    with runtimes.load(product) as engine:
        for image in anomalous:
            score, heatmap = engine.infer(product.fit(image)[0][None])
            expected_score, expected_map = authors_score(model, image)
            assert score[0] == pytest.approx(expected_score, abs=0.01)
            assert np.quantile(np.abs(heatmap[0] - expected_map), 0.999) < 0.02


def test_each_likely_mistake_would_be_noticed(
    model: Draem,
    anomalous: list[np.ndarray],
) -> None:
    """Swapped concatenation, RGB and another window each miss, or the test above says nothing."""

    class Swapped(Draem):
        def forward(self, image):  # type: ignore[no-untyped-def]
            rebuilt = self.reconstructive(image)
            return self.discriminative(torch.cat((image, rebuilt), dim=1))

    swapped = Swapped(4, 8).eval()
    swapped.load_state_dict(model.state_dict())
    right, other = [], {"swapped": [], "rgb": [], "window": []}  # type: ignore[var-annotated]
    for image in anomalous:
        score, heatmap = authors_score(model, image)
        right.append(score)
        other["rgb"].append(authors_score(model, image[..., ::-1])[0])
        x = torch.from_numpy(cv2.resize(image, (64, 64)) / 255.0).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            wrong = torch.softmax(swapped(x), dim=1)[:, 1:]
        other["swapped"].append(float(avg_pool2d(wrong, 5, 1, 2).max()))
        other["window"].append(
            float(avg_pool2d(torch.from_numpy(heatmap)[None, None], 21, 1, 10).max())
        )
    for mistake, scores in other.items():
        assert np.abs(np.array(scores) - right).max() > 0.05, mistake


def test_the_order_of_the_files_matters(pair: tuple[Path, Path]) -> None:
    with pytest.raises(CheckpointError, match=r"REC\.pckl SEG\.pckl"):
        load_pair(pair[1], pair[0])


def test_wrong_files_are_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pckl"
    with pytest.raises(CheckpointError, match="does not exist"):
        load_pair(wrong, pair[1])
    for content in (b"", b"hello", pair[0].read_bytes()[:5000]):
        wrong.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"wrong\.pckl is not a PyTorch checkpoint"):
            load_pair(wrong, pair[1])
    torch.save([1, 2], wrong)
    with pytest.raises(CheckpointError, match=r"does not hold a reconstructive network"):
        load_pair(wrong, pair[1])


def test_a_pickle_that_runs_code_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self):  # type: ignore[no-untyped-def]
            return (Path.touch, (tmp_path / "owned",))

    (tmp_path / "evil.pckl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError):
        load_pair(tmp_path / "evil.pckl", pair[1])
    assert not (tmp_path / "owned").exists()


def test_missing_and_infinite_tensors_are_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    state = torch.load(pair[0], weights_only=True)
    missing = {k: v for k, v in state.items() if k != "decoder.fin_out.0.bias"}
    torch.save(missing, tmp_path / "missing.pckl")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_pair(tmp_path / "missing.pckl", pair[1])
    state["decoder.fin_out.0.bias"][0] = float("nan")
    torch.save(state, tmp_path / "nan.pckl")
    with pytest.raises(CheckpointError, match="not finite"):
        load_pair(tmp_path / "nan.pckl", pair[1])


def test_the_papers_widths_export() -> None:
    """The authors' own size: 195 MB of float16 weights in one file."""
    proto = build_onnx(Draem(128, 64).eval(), 256, 256)
    assert sum(len(w.raw_data) for w in proto.graph.initializer) > 190_000_000
