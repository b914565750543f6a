"""How fast the engine is on this GPU, against torch and against what the card can do: 'just gpu'.

Networks with random weights (their speed does not depend on them) at 256x256, the features network
and pixels networks of some widths, for each batch: TensorRT in float16 where a flavour runs here,
torch eager in float32, torch in float16 and channels_last, torch.compile; in turn, so that all see
the same clocks. `floor` is the longer of the operations over the card's measured peak and the bytes
over its measured bandwidth.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.engine.build import build
from edge.base.errors import EngineError
from edge.commands.arguments import parse_widths
from edge.engine.runtimes import FLAVOURS, load, missing
from edge.product.product import Product
from edge.vision.fit import Fit
from trainer.network.features.backbone import find_weights
from trainer.network.features.frozen_conv import FrozenConv
from trainer.network.make import make_network
from trainer.network.network import Network
from trainer.network.spec import NetworkSpec
from trainer.simulation.textures import procedural
from trainer.studies.bench_stages import percentiles
from trainer.training.batches import to_tensor
from trainer.training.save_product import Trained, save_product

SIDE = 256
Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 images [N, H, W, 3] -> heatmaps [N, H, W], on the host."""


class Timing(NamedTuple):
    """Milliseconds of the whole `infer`, and how far its map is from float32's."""

    variant: str
    p50: float
    p99: float
    error: float


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="gpu bench", description=__doc__)
    parser.add_argument(
        "--networks", type=spec_of, nargs="+", metavar="NETWORK",
        default=[spec_of(name) for name in ("features", "64/32", "128/64")],
        help="'features' or the widths of a pixels network (default features 64/32 128/64)",
    )  # fmt: skip
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8], metavar="N")
    parser.add_argument("--rounds", type=int, default=200, metavar="N", help="default 200")
    options = parser.parse_args(argv)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    peak, bandwidth = measured_peak(device), measured_bandwidth(device)
    print(f"{name}: {peak / 1e12:.2f} Tera-operations and {bandwidth / 1e9:.0f} GB a second")
    print("| network | batch | variant | p50 ms | p99 ms | error | floor ms | times the floor |")
    print("|---|---|---|---|---|---|---|---|")
    for spec in options.networks:
        with ExitStack() as opened:
            model = network(spec)
            floor = floors(model, peak, bandwidth)
            for size in options.batch:
                ways = dict(variants(model, size, device, opened))
                for row in race(ways, size, options.rounds):
                    least = floor(size)
                    print(
                        f"| {spec.kind} {spec.rec_width}/{spec.seg_width} | {size} | "
                        f"{row.variant} | {row.p50:.2f} | {row.p99:.2f} | {row.error:.5f} | "
                        f"{least:.2f} | {row.p50 / least:.1f} |",
                        flush=True,
                    )
    return 0


def spec_of(name: str) -> NetworkSpec:
    """'features', or the widths of a pixels network."""
    if name == "features":
        return NetworkSpec("features", 32, 48, 13, "lite0")
    return NetworkSpec("pixels", *parse_widths(name), 3)


def network(spec: NetworkSpec) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = find_weights("lite0") if spec.kind == "features" else None
        return make_network(spec, encoder_weights=weights).eval()


def variants(
    model: Network, size: int, device: torch.device, opened: ExitStack
) -> Iterator[tuple[str, Infer]]:
    """The ways to judge a batch that this machine has; torch eager in float32 first."""
    yield "torch eager float32", by_torch(model, device, torch.float32)
    for flavour in FLAVOURS:
        if flavour == "openvino" and device.type == "cuda":
            continue
        if lack := missing(flavour):
            print(f"{flavour} is left out: {lack}", file=sys.stderr)
            continue
        folder = opened.enter_context(TemporaryDirectory())
        try:
            product = product_of(model, Path(folder))
            build(product, flavour, [1] if flavour == "openvino" else [size])
            engine = opened.enter_context(load(product, flavour))
        except EngineError as error:
            print(f"{flavour} is left out: {error}", file=sys.stderr)
            continue
        yield flavour, lambda batch, engine=engine: engine.infer(batch).heatmap  # type: ignore[misc]
    if device.type == "cuda":
        yield "torch float16 channels_last", by_torch(model, device, torch.float16)
        yield "torch.compile float16", by_torch(model, device, torch.float16, compiled=True)


def product_of(model: Network, folder: Path) -> Product:
    """The network as a product; its golden frames are noise, its negative another network."""
    good = np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3), dtype=np.uint8)
    trained = Trained(model, Fit(SIDE, SIDE), good, procedural, 0, {"images": []}, {})
    return save_product(trained, folder, "bench", folder / "runs")


def by_torch(
    model: Network, device: torch.device, dtype: torch.dtype, *, compiled: bool = False
) -> Infer:
    """The whole way as the engine goes it: bytes up, network, heatmap down."""
    net = network(model.spec).to(device, dtype)
    half = dtype is torch.float16
    if half:
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    call: Callable[[Tensor], Tensor] = net.heatmap
    if compiled:
        call = torch.compile(call)

    def infer(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            image = to_tensor(batch, device).to(dtype)
            if half:
                image = image.contiguous(memory_format=torch.channels_last)
            heatmap = call(image)
            found: NDArray[np.float32] = heatmap.cpu().numpy()
            return found

    return infer


def race(ways: dict[str, Infer], size: int, rounds: int) -> list[Timing]:
    """All ways in turn, round by round, on the same frames."""
    batch = np.random.default_rng(1).integers(0, 256, (size, SIDE, SIDE, 3), dtype=np.uint8)
    maps = {name: infer(batch) for name, infer in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 5):
        for name, infer in ways.items():
            start = time.perf_counter_ns()
            infer(batch)
            times[name].append((time.perf_counter_ns() - start) / 1e6)
    reference = next(iter(maps.values()))
    return [
        Timing(
            name,
            **percentiles(times[name][5:]),
            error=float(np.quantile(np.abs(maps[name] - reference), 0.999)),
        )
        for name in ways
    ]


def floors(model: Network, peak: float, bandwidth: float) -> Callable[[int], float]:
    """Batch size -> the milliseconds below which this card cannot be, in float16."""
    counts = {"operations": 0, "bytes": 0}

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d | FrozenConv):
            kernel = module.weight[0].numel()
            counts["operations"] += 2 * kernel * output.numel()
            counts["bytes"] += 2 * (inputs[0].numel() + output.numel())

    hooks = [m.register_forward_hook(count) for m in model.modules()]
    with torch.inference_mode():
        model.heatmap(torch.zeros(1, 3, SIDE, SIDE))
    for hook in hooks:
        hook.remove()
    weights = 2 * sum(p.numel() for p in (*model.parameters(), *model.buffers()))

    def least(size: int) -> float:
        moved = (weights + size * counts["bytes"]) / bandwidth
        return 1000 * max(size * counts["operations"] / peak, moved)

    return least


def measured_peak(device: torch.device) -> float:
    """Operations a second of a large product of matrices, float16 on a GPU."""
    side, dtype = (8192, torch.float16) if device.type == "cuda" else (1024, torch.float32)
    a = torch.rand(side, side, device=device, dtype=dtype)
    return 2 * side**3 / _seconds(lambda: a @ a, device)


def measured_bandwidth(device: torch.device) -> float:
    """Bytes a second of a copy within the device, read and written."""
    source = torch.zeros(2**28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _seconds(lambda: target.copy_(source), device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """The best of some rounds."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    best = float("inf")
    for _ in range(10):
        wait()
        start = time.perf_counter()
        work()
        wait()
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
