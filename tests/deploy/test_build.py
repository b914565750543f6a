"""From a compiled plan to an engine in service: proof, keys, records; a GPU of paper underneath.

Its plans compute the mean gray level, so the golden frames of these products say that too.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deploy.engine import tensorrt_compile
from deploy.engine.build import build, build_ahead, prove_ahead
from edge.base.errors import EngineError
from edge.base.files import write_json
from edge.engine import runtimes, tensorrt
from edge.engine.plan import Record, records
from edge.engine.verify import prove
from edge.product.product import Product
from edge.vision.calibration import Calibration, Range
from edge.vision.geometry import Geometry
from edge.vision.image_files import write_png
from tests.conftest import Plant
from tests.support.fake_gpu import FakeGpu, plan

SHAPE = (64, 64)
WIDE = Range(low=0, high=1e9)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    """With TensorRT 10.13, and a compiler that gives its plans."""
    gpu = FakeGpu()
    gpu.install(monkeypatch)

    def compiled(product: Product, order: tensorrt_compile.CompileJob, progress: object) -> bytes:
        return plan(product.shape, list(order.batches))

    monkeypatch.setattr(tensorrt_compile, "compile_plan", compiled)
    return gpu


@pytest.fixture
def product(plant: Plant, tmp_path: Path) -> Product:
    copy = shutil.copytree(plant.product.path, tmp_path / "products" / "lid" / "1")
    shutil.rmtree(copy / "engines")
    with np.load(copy / "golden.npz") as stored:
        values = dict(stored)
    values["heatmap"] = values["frames"].mean(axis=3, dtype=np.float32) / np.float32(255)
    values["score"] = values["heatmap"].max(axis=(1, 2))
    np.savez(copy / "golden.npz", **values)
    manifest = plant.product.manifest.model_copy(update={"score_window": 1})
    return Product(copy, manifest, None)


def calibrated(product: Product, scores: Sequence[float], threshold: float) -> Product:
    """With even gray frames, that had these scores when the threshold was set."""
    (product.path / "calibration").mkdir(exist_ok=True)
    frames = {f"{i:03d}.png": score for i, score in enumerate(scores)}
    for i, name in enumerate(frames):
        write_png(product.path / "calibration" / name, np.full((*SHAPE, 3), 50 + i, np.uint8))
    calibration = Calibration(
        threshold=threshold, pixel_threshold=threshold, min_area=1, brightness=WIDE,
        contrast=WIDE, sharpness=WIDE, false_reject_rate=0.01, scores=sorted(scores),
        frames=frames, created="",
    )  # fmt: skip
    return Product(product.path, product.manifest, calibration)


def test_a_proven_plan_serves(product: Product, gpu: FakeGpu) -> None:
    record = build(product, "tensorrt", [4])
    key = record.key
    assert (key.flavour, key.version, key.precision) == ("tensorrt", "10.13.0", "f16")
    assert (key.device, key.capability, key.sm_count) == ("Paper 3000", "8.6", 46)
    assert (key.model, key.shape) == (product.model_digest, "64x64x3")
    assert record.batches == [1, 4]
    assert record.proof["score_max"] < 1e-5
    with runtimes.load(product) as engine, np.load(product.path / "golden.npz") as golden:
        assert isinstance(engine, tensorrt.TensorRtEngine), "the GPU is chosen by itself"
        assert np.allclose(engine.infer(golden["frames"]).score, golden["score"])


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("version", lambda gpu: setattr(__import__("tensorrt"), "__version__", "11.4.1")),
        ("device", lambda gpu: setattr(gpu, "name", "Paper 4000")),
        ("capability", lambda gpu: setattr(gpu, "capability", (8, 9))),
        ("sm_count", lambda gpu: setattr(gpu, "sm_count", 48)),
    ],
)
def test_another_device_or_library_is_refused_by_name(
    product: Product, gpu: FakeGpu, field: str, change: object
) -> None:
    build(product, "tensorrt")
    assert callable(change)
    change(gpu)
    with pytest.raises(EngineError, match=rf"another {field} .*run 'draem build --product lid"):
        runtimes.load(product)


def test_a_plan_that_misses_stays_out_and_says_by_how_much(product: Product, gpu: FakeGpu) -> None:
    build(product, "tensorrt")
    before = sorted(product.engines.iterdir())
    with np.load(product.path / "golden.npz") as stored:
        values = dict(stored)
    values["score"] = values["score"] - 0.05
    np.savez(product.path / "golden.npz", **values)
    with pytest.raises(EngineError, match=r"in batches of 1: score by 0\.0500"):
        build(product, "tensorrt")
    assert sorted(product.engines.iterdir()) == before, "the proven one still serves"


def test_every_size_of_batch_is_proven(product: Product, gpu: FakeGpu) -> None:
    """Each is compiled for itself, and the line uses the smallest."""
    for size in (1, 4):
        gpu.wrong = {size: np.float32(0.05)}
        with pytest.raises(EngineError, match=f"misses the trained network in batches of {size}:"):
            build(product, "tensorrt", [4])
    gpu.wrong = {}
    build(product, "tensorrt", [3, 32])


def test_a_card_that_the_flavour_does_not_know_is_named(
    product: Product, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorrt as trt

    known = SimpleNamespace(__members__={"SM86": 1, "CURRENT": 0})
    monkeypatch.setattr(trt, "ComputeCapability", known, raising=False)
    assert runtimes.missing("tensorrt") is None
    gpu.capability = (9, 0)
    with pytest.raises(EngineError, match=r"does not know compute capability 9\.0 \(Paper 3000\)"):
        build(product, "tensorrt")
    assert runtimes.pick(None) == "openvino"


def test_a_batch_that_does_not_fit_leaves_what_serves(product: Product, gpu: FakeGpu) -> None:
    build(product, "tensorrt")
    gpu.fails["create_execution_context"] = False
    with pytest.raises(EngineError, match="smaller --batch"):
        build(product, "tensorrt", [8])
    gpu.fails.clear()
    assert [record.batches for record in records(product)] == [[1]]
    runtimes.load(product).close()


def test_good_scores_that_moved_towards_the_threshold_are_refused(
    product: Product, gpu: FakeGpu
) -> None:
    """By less than the golden frames' tolerance, but by much of the way that was left."""
    now = [(50 + i) / 255 for i in range(20)]
    same = calibrated(product, now, threshold=0.30)
    proof = build(same, "tensorrt").proof
    assert abs(proof["shift_median"]) < 1e-6
    assert proof["rejected_now"] == proof["rejected_at_calibration"] == 0
    moved = calibrated(product, [score - 0.008 for score in now], threshold=0.25)
    with pytest.raises(EngineError, match=r"20 good frames by \+0\.0080 in the median \(allowed 0"):
        build(moved, "tensorrt")
    away = calibrated(product, [score + 0.008 for score in now], threshold=0.25)
    with pytest.raises(EngineError, match=r"20 good frames by -0\.0080 in the median"):
        build(away, "tensorrt")  # weak defects would be missed
    with pytest.raises(EngineError, match="for the version before it"):
        build(calibrated(product, [], threshold=0.3), "tensorrt")
    jumped = calibrated(product, [*now[:-1], now[-1] - 0.02], threshold=0.30)
    with pytest.raises(EngineError, match=r"at most by 0\.0200"):
        build(jumped, "tensorrt")


def test_a_reduced_precision_moves_no_good_frame_over_a_regions_threshold(
    product: Product, gpu: FakeGpu
) -> None:
    """The frames' own scores are as they were: a region decides, which they do not say."""
    now = [(50 + i) / 255 for i in range(20)]
    known = calibrated(product, now, threshold=0.30)
    part = Geometry(
        frame=(128, 128), regions_of_interest={"rim": ((8, 8), (60, 8), (60, 60), (8, 60))}
    )
    build(product, "tensorrt")

    def proven(precision: str, threshold: float, geometry: Geometry, **shares: float) -> float:
        assert known.calibration is not None
        update = {"geometry": geometry, "roi_thresholds": {"rim": threshold}, "roi_shares": shares}
        made = known.calibration.model_copy(update=update)
        with runtimes.load_model(product, "tensorrt") as engine:
            figures = prove(engine, replace(known, calibration=made), precision)
        return figures.get("rejected_now", -1)

    good = {f"{i:03d}.png": 0.9 for i in range(20)}
    over = 68.5 / 255
    assert proven("int8", 0.30, part, **good) == 0
    with pytest.raises(EngineError, match="moves 1 of 20 good frames over the threshold"):
        proven("int8", over, part, **good)
    assert proven("int8", over, part, **good | {"019.png": 1.01}) == 1, "it was a reject before"
    assert proven("f16", over, part, **good) == 1, "full precision is told, not judged"
    with pytest.raises(EngineError, match=r"from an older program .*: calibrate again"):
        proven("int8", 0.30, part)
    anywhere = part.model_copy(update={"frame": None})
    with pytest.raises(EngineError, match=r"have no frame size, .* write the camera's as 'frame'"):
        proven("int8", 0.30, anywhere, **good)
    assert proven("f16", 0.30, anywhere, **good) == -1


def test_what_was_compiled_ahead_serves_once_it_is_proven(product: Product, gpu: FakeGpu) -> None:
    with pytest.raises(EngineError, match="has no engine on this device"):
        prove_ahead(product)
    ahead = build_ahead(product, "tensorrt", "8.6")
    assert not ahead.proven
    with pytest.raises(EngineError, match=r"not proven on this device: .*--prove'"):
        runtimes.load(product)
    proven = prove_ahead(product)
    assert proven.proven
    assert (proven.key.device, proven.key.sm_count) == ("Paper 3000", 46)
    assert proven.plan == ahead.plan
    runtimes.load(product).close()


def test_what_was_compiled_ahead_and_misses_is_not_put_in_service(
    product: Product, gpu: FakeGpu
) -> None:
    build_ahead(product, "tensorrt", "8.6")
    with np.load(product.path / "golden.npz") as stored:
        values = dict(stored)
    np.savez(product.path / "golden.npz", **values | {"heatmap": 1 - values["heatmap"]})
    with pytest.raises(EngineError, match="misses the trained network"):
        prove_ahead(product)
    assert not any(record.proven for record in records(product))


def test_a_gpu_that_has_gone_is_not_replaced_in_silence(
    product: Product, gpu: FakeGpu, plant: Plant
) -> None:
    """The CPU would judge too, more slowly than the line was set up for."""
    shutil.copytree(plant.product.engines, product.engines)  # openvino's, proven
    build(product, "tensorrt")
    import pycuda.driver as cuda

    gpu.fails["init"] = cuda.Error("cuInit failed: no device")
    with pytest.raises(EngineError, match=r"built for tensorrt, but .*--flavour openvino"):
        runtimes.load(product)
    with runtimes.load(product, "openvino") as engine:
        assert engine.infer(np.zeros((1, *SHAPE, 3), np.uint8)).score.shape == (1,)


def test_a_lost_record_or_plan_never_loads(product: Product, gpu: FakeGpu) -> None:
    build(product, "tensorrt")
    path = next(product.engines.glob("*.plan"))
    data = path.read_bytes()
    path.write_bytes(data + b" ")
    with pytest.raises(EngineError, match="is not the plan that its record names"):
        runtimes.load(product)
    path.unlink()
    with pytest.raises(EngineError, match="no engine"):
        runtimes.load(product)
    path.write_bytes(data)
    record = next(product.engines.glob("*.json"))
    write_json(record, Record.model_validate_json(record.read_text()).model_dump() | {"key": 1})
    with pytest.raises(EngineError, match="cannot be read"):
        runtimes.load(product)
