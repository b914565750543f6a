"""Real TensorRT, in the flavour that compiles without a GPU: model.onnx to plans for RTX cards."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from deploy.engine.build import build_ahead
from deploy.engine.tensorrt_compile import CompileJob, check, compile_plan, parse
from deploy.engine.tensorrt_int8 import (
    QuantisedLayer,
    insert_quantisers,
    integer_convolutions,
)
from deploy.engine.tensorrt_progress import Progress
from edge.base.errors import EngineError
from edge.engine.runtimes import missing
from edge.engine.tensorrt import TensorRtEngine
from edge.engine.tensorrt_library import library, log_of
from edge.product.product import Product, read_version
from tests.conftest import Plant, draem
from tests.support.fake_gpu import FakeGpu
from trainer.network.features.backbone import find_weights
from trainer.network.make import make_network
from trainer.network.onnx_export import build_onnx
from trainer.network.spec import NetworkSpec

pytest.importorskip("tensorrt_rtx_bindings", reason="no RTX flavour of TensorRT for this machine")


@pytest.fixture(scope="module")
def trt() -> ModuleType:
    return library("tensorrt_rtx")


@pytest.fixture
def product(plant: Plant, tmp_path: Path) -> Product:
    """A copy without engines, that a test may spoil."""
    copy = shutil.copytree(plant.product.path, tmp_path / "products" / "lid" / "1")
    shutil.rmtree(copy / "engines")
    (copy.parent / "current").symlink_to("1")
    return read_version(copy)


def network_of(trt: ModuleType, model: Path) -> tuple[Any, list[Any]]:
    log = log_of(trt, [])
    builder = trt.Builder(log)
    network, parser = parse(trt, builder, log, model)
    return network, [builder, parser, log]


FEATURES = NetworkSpec("features", 32, 48, 13, "lite0")
PAPER = NetworkSpec("pixels", 128, 64, 21)
NARROW = NetworkSpec("pixels", 16, 8, 3)


@pytest.mark.parametrize(
    ("spec", "shape", "convolutions"),
    [(FEATURES, (256, 320), 53), (NARROW, (128, 160), 51), (PAPER, (256, 256), 51)],
)
def test_draem_compiles_for_cards_that_are_not_here(
    product: Product, trt: ModuleType, spec: NetworkSpec, shape: tuple[int, int], convolutions: int
) -> None:
    """On features, narrow, and the paper's: types read back, then plans for two generations."""
    torch.manual_seed(0)
    weights = find_weights("lite0") if spec.kind == "features" else None
    made = make_network(spec, encoder_weights=weights).eval()
    onnx.save_model(build_onnx(made, *shape), str(product.model_path))
    manifest = product.manifest.model_copy(update={"height": shape[0], "width": shape[1]})
    product = Product(product.path, manifest, None)
    network, _kept = network_of(trt, product.model_path)
    image, heatmap, score = network.get_input(0), network.get_output(0), network.get_output(1)
    assert (image.name, image.dtype, tuple(image.shape)) == (
        "image",
        trt.uint8,
        (-1, *shape, 3),
    )
    assert (heatmap.name, heatmap.dtype) == ("heatmap", trt.float32)
    assert (score.name, score.dtype) == ("score", trt.float32)
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    types = Counter(
        layer.get_output(0).dtype for layer in layers if layer.type == trt.LayerType.CONVOLUTION
    )
    assert types == {trt.float16: convolutions}, "depthwise ones too"
    for capability in ("8.6", "12.0"):
        record = build_ahead(product, "tensorrt_rtx", capability)
        assert not record.proven
        assert record.key.capability == capability
        assert record.key.device == "any"
    plans = sorted(path.stat().st_size for path in product.engines.glob("*.plan"))
    assert len(plans) == 2
    assert plans[0] > sum(p.numel() for p in made.parameters()), "two bytes a weight"


def test_int8_compiles_for_cards_that_are_not_here(product: Product, trt: ModuleType) -> None:
    """Explicit Q and DQ nodes around each convolution but the ends; their types are read back."""
    torch.manual_seed(0)
    made = make_network(FEATURES, encoder_weights=find_weights("lite0")).eval()
    onnx.save_model(build_onnx(made, 64, 64), str(product.model_path))
    network, _kept = network_of(trt, product.model_path)
    assert integer_convolutions(trt, network) == (0, 53)
    names = [layer.name for layer in layers_of(trt, network)][1:-1]
    layers = {name: QuantisedLayer(0.05, None) for name in names}
    kept = insert_quantisers(trt, network, layers)
    assert integer_convolutions(trt, network) == (51, 53), "the first and the last are in float"
    assert len(kept) > 2 * len(layers)
    with pytest.raises(EngineError, match="does not have the layers conv_none"):
        insert_quantisers(trt, network, {"conv_none": QuantisedLayer(1, None)})
    parameters = sum(p.numel() for p in made.parameters())
    for capability in ("8.6", "12.0"):
        job = CompileJob("tensorrt_rtx", [1], product.path / "cache", capability, layers)
        plan = compile_plan(product_of(product, 64), job, Progress(lambda share, phase: None))
        assert len(plan) > parameters, "a byte a weight at least"


def layers_of(trt: ModuleType, network: Any) -> list[Any]:
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    return [layer for layer in layers if layer.type == trt.LayerType.CONVOLUTION]


def product_of(product: Product, side: int) -> Product:
    manifest = product.manifest.model_copy(update={"height": side, "width": side})
    return Product(product.path, manifest, None)


def test_batches_are_profiles_and_their_record_says_so(product: Product) -> None:
    record = build_ahead(product, None, "8.9", [8, 4])
    assert record.batches == [1, 4, 8], "one image is always possible"
    assert list((product.path.parent.parent / ".timing").iterdir()), "the timing cache is kept"
    again = build_ahead(product, None, "8.9", [4])
    assert again.key == record.key
    assert len(list(product.engines.glob("*.plan"))) == 1, "the new one took the old one's place"


def test_a_body_left_in_float32_is_refused(product: Product, trt: ModuleType) -> None:
    """Under strong typing it would compile without a word, and be slow."""
    proto = onnx.load(str(product.model_path))
    for weight in proto.graph.initializer:
        if weight.data_type == TensorProto.FLOAT16:
            wide = numpy_helper.to_array(weight).astype(np.float32)
            weight.CopyFrom(numpy_helper.from_array(wide, weight.name))
    proto.graph.node[0].attribute[0].i = TensorProto.FLOAT
    onnx.save_model(proto, str(product.model_path))
    with pytest.raises(EngineError, match=r"51 of 51 convolutions in .* are not f16"):
        build_ahead(product, None, "8.6")
    assert not list(product.path.glob("engines/*"))


def test_outputs_of_another_name_or_type_are_refused(product: Product, trt: ModuleType) -> None:
    network, _kept = network_of(trt, product.model_path)
    network.get_output(1).name = "severity"
    with pytest.raises(EngineError, match=r"is not a DRAEM's.*severity"):
        check(trt, network, product.shape)
    with pytest.raises(EngineError, match="is not a DRAEM's"):
        check(trt, network_of(trt, product.model_path)[0], (32, 32))


def test_rubbish_and_unknown_operators_are_one_line_each(product: Product) -> None:
    proto = onnx.load(str(product.model_path))
    next(node for node in proto.graph.node if node.op_type == "MaxPool").op_type = "Sieve"
    onnx.save_model(proto, str(product.model_path))
    with pytest.raises(EngineError, match=r"cannot read .*model.onnx at Sieve 'maxpool_\d+'"):
        build_ahead(product, None, "8.6")
    product.model_path.write_bytes(b"no model")
    with pytest.raises(EngineError, match=r"cannot read .*restore it from a backup"):
        build_ahead(product, None, "8.6")
    assert not list(product.path.glob("engines/*"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--for", "SM90"], "cannot compile for SM90: choose from SM75, SM80, SM86, SM89"),
        (["--for", "86"], "write compute capabilities as SM86"),
        (["--for", "SM86", "--flavour", "openvino"], "--for is for GPUs"),
        (["--batch", "0"], "write sizes from 1 to 999"),
        (["--batch", "4", "--flavour", "openvino"], "openvino judges image by image"),
        (["--prove", "--batch", "4"], "leave --for, --batch and --precision out"),
        (["--prove", "--flavour", "openvino"], "leave it out"),
        (["--flavour", "onnxruntime"], "invalid choice"),
    ],
)
def test_mistakes_are_one_line_each(product: Product, words: list[str], says: str) -> None:
    done = draem("build", "--product", "lid", *words, cwd=product.path.parents[2])
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(product.path.glob("engines/*"))


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_rtx"])
def test_a_flavour_that_is_not_here_says_what_is_missing(product: Product, flavour: str) -> None:
    if missing("tensorrt" if flavour == "tensorrt" else "tensorrt_rtx") is None:
        pytest.skip("it is here")
    done = draem("build", "--product", "lid", "--flavour", flavour, cwd=product.path.parents[2])
    assert done.returncode == 2
    assert "--flavour openvino" in done.stderr
    assert not list(product.path.glob("engines/*"))


def test_what_is_compiled_ahead_says_that_it_is_not_proven(product: Product) -> None:
    root = product.path.parents[2]
    done = draem("build", "--product", "lid", "--for", "SM86,SM120", cwd=root, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "any GPU of 8.6" in done.stderr
    assert "not proven yet" in done.stderr
    assert "draem build --product lid --version 1 --flavour tensorrt_rtx --prove" in done.stderr


def test_a_plan_without_a_driver_says_so(
    product: Product, monkeypatch: pytest.MonkeyPatch, trt: ModuleType
) -> None:
    """The real runtime; of pycuda, which is not here, the fake."""
    if missing("tensorrt_rtx") is None:
        pytest.skip("there is a driver")
    build_ahead(product, None, "8.6")
    gpu = FakeGpu()
    gpu.install(monkeypatch)
    plan = next(product.engines.glob("*.plan")).read_bytes()
    with pytest.raises(EngineError, match=r"cannot load the plan: .*CUDA driver version"):
        TensorRtEngine(plan, product.shape, [1], "tensorrt_rtx")
    assert not gpu.current


def test_a_full_disk_leaves_nothing_half_written(product: Product, tmp_path: Path) -> None:
    """As little room as a limit on the size of files gives."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "import draem; sys.exit(draem.main(sys.argv[1:]))"
    )
    words = ["build", "--product", "lid", "--for", "SM86"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=product.path.parents[2], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(product.path.glob("engines/*"))


def test_ctrl_c_ends_a_compilation(product: Product) -> None:
    """Of the widest network, so that there is time to interrupt it."""
    onnx.save_model(build_onnx(make_network(PAPER).eval(), 64, 64), str(product.model_path))
    code = (
        "import sys, json, pathlib; from deploy.engine.build import build_ahead;"
        "from edge.product.manifest import Manifest; from edge.product.product import Product;"
        "path = pathlib.Path(sys.argv[1]);"
        "m = Manifest.model_validate_json((path / 'manifest.json').read_text());"
        "build_ahead(Product(path, m, None), None, '8.6', [1],"
        " lambda share, phase: print(share, phase, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(product.path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert not list(product.path.glob("engines/*"))


def test_progress_comes_from_tensorrt_itself(product: Product) -> None:
    told: list[tuple[float, str]] = []
    threads: set[int] = set()

    def report(share: float, phase: str) -> None:
        told.append((share, phase))
        threads.add(threading.get_ident())

    build_ahead(product, None, "8.6", [1], report)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len({phase for _, phase in told}) > 5
    assert threading.get_ident() not in threads
