"""What judging in tiles finds and costs: `./just tiles [found | seams | cost] [--work DIR]`.

`found`: a simulated line of sheets of 2448x2048 with cracks 2 to 4 pixels wide. Two products are
trained for as long, one in tiles of 320 at the pictures' own scale, one at 256x256; both calibrate
for 1 % false rejects on other good sheets, and judge good and cracked ones of another run.

`seams`: how much the score of one crack changes while it moves across the seams of the tiles; it
needs the product in tiles of `found`.

`cost`: milliseconds per megapixel of each stage from 1 to 20 megapixels, and the peak memory of a
process that judges 2448x2048. It needs the product in tiles of `found`, and uses its engine with
other picture sizes: the network's input stays the tile.
"""

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera.simulated.sheet import SheetRenderer
from edge.commands.doctor import processor
from edge.engine.runtimes import load
from edge.product.product import Product, load_product
from edge.vision.frame import Frame
from edge.vision.roi import pooled_maximum
from edge.vision.tiles import Tile, TilePlan
from tests.measure.targets import draem
from trainer.studies.bench_stages import stages

ROOT = Path(__file__).parents[2]
WORK = ROOT / "local/tiles"
WIDTH, HEIGHT = 2448, 2048
SIZES = {1: (1152, 896), 2: (1600, 1280), 5: (2448, 2048), 10: (3648, 2752), 20: (5472, 3648)}
"""Megapixels, and width and height."""
OPTIONS = {"tiles": ("--tile", "320"), "whole_256": ("--input", "256")}
MEMORY_MB = 1500
SEAM_SHEETS, MOVED = 5, 256
"""Sheets with a crack, and pixels that the window on each moves: more than from seam to seam."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tiles", description=__doc__)
    parser.add_argument("what", choices=("found", "seams", "cost", "memory"), nargs="?")
    parser.add_argument("--work", type=Path, default=WORK, metavar="DIR", help="for the products")
    parser.add_argument("--train", type=int, default=60, help="good sheets to train with")
    parser.add_argument("--test", type=int, default=100, help="good and cracked sheets to judge")
    parser.add_argument("--minutes", default="20", help="of each training, at most")
    parser.add_argument("--frames", type=int, default=10, help="of each size")
    options = parser.parse_args(argv)
    options.work.mkdir(parents=True, exist_ok=True)
    if options.what in (None, "found"):
        found(options)
    if options.what in (None, "seams"):
        seams(options.work)
    if options.what in (None, "cost"):
        cost(options)
    if options.what == "memory":
        print(json.dumps(memory(options.work)))
    return 0


def found(options: argparse.Namespace) -> None:
    """Draw the sheets, train both products, and print what each finds."""
    work: Path = options.work
    draw(work / "train", SheetRenderer(HEIGHT, WIDTH, 1), options.train)
    draw(work / "calibrate", SheetRenderer(HEIGHT, WIDTH, 2), options.test)
    sheets = SheetRenderer(HEIGHT, WIDTH, 3)
    draw(work / "test/good", sheets, options.test)
    draw(work / "test/crack", sheets, options.test, masks=work / "ground_truth/crack")
    for name, words in OPTIONS.items():
        product = ("--product", name)
        if not (work / "products" / name / "1/manifest.json").is_file():
            if (work / "runs" / name / "checkpoint.pt").is_file():
                draem(work, "train", "--resume", *product)
            else:
                most = ("--max-minutes", options.minutes, "--mirror")
                draem(work, "train", "train", *product, *words, *most)
        draem(work, "build", *product, "--version", "1")
        rate = ("--false-reject-rate", "0.01", "--each-frame")
        draem(work, "calibrate", *product, "--version", "1", "--images", "calibrate", *rate)
        measured = json.loads(draem(work, "evaluate", ".", *product, "--json"))
        rates, pixels = measured["calibrated"], measured["pixels"]
        print(
            f"{name}: found {rates['true_positive']:.1%}, "
            f"false rejects {1 - rates['true_negative']:.1%}, image AUROC "
            f"{measured['image_auroc']:.4f}, pixel AP {pixels['ap']:.4f}",
            flush=True,
        )


def draw(folder: Path, sheets: SheetRenderer, count: int, masks: Path | None = None) -> None:
    """Sheets as PNG, with a crack and its mask where `masks` names a folder."""
    for path in (folder, *([masks] if masks else [])):
        path.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        path = folder / f"{i:03d}.png"
        if path.exists():
            continue
        part = sheets.part(1000 + i if masks else i, defective=masks is not None)
        if masks:
            cv2.imwrite(str(masks / f"{i:03d}_mask.png"), part.truth)
        cv2.imwrite(str(path), part.image[..., 0])


def seams(work: Path) -> None:
    """The same cracked sheets, shown by windows that lie at other places of them."""
    product = of_size(load_product(work / "products", "tiles"), WIDTH, HEIGHT)
    window = product.manifest.score_window
    with load(product) as engine:
        for seed in range(SEAM_SHEETS):
            part = SheetRenderer(HEIGHT, WIDTH + MOVED, 10 + seed).part(seed, defective=True)
            truth = cv2.dilate(part.truth, np.ones((32, 32), np.uint8)) > 0
            truth[:, :MOVED] = truth[:, WIDTH:] = False  # seen by all windows
            heats = []
            for x in range(0, MOVED, MOVED // 16):
                heat = engine.infer(part.image[None, :, x : x + WIDTH]).heatmap[0]
                inside = np.where(truth[:, x : x + WIDTH], heat, np.float32(0))
                heats.append(pooled_maximum(inside, window))
            spread = (max(heats) - min(heats)) / max(float(np.mean(heats)), 1e-6)
            print(
                f"crack {seed} at 16 places: heat {min(heats):.4f} to {max(heats):.4f}, "
                f"{spread:.1%} of its mean",
                flush=True,
            )


def cost(options: argparse.Namespace) -> None:
    """Print a row for each size, and the peak memory of another process."""
    product = load_product(options.work / "products", "tiles")
    print(f"{processor()}, tiles of {product.shape[1]}x{product.shape[0]}")
    per_megapixel = {}
    for megapixels, (width, height) in SIZES.items():
        sized = of_size(product, width, height)
        frames = [Frame(picture(width, height, seed), seed, 0) for seed in range(2)]
        with load(sized) as engine:
            times = stages(engine, sized, frames, options.frames)
        count = len(TilePlan(height, width, tile_of(sized)).places)
        area = width * height / 1e6
        each = {name: float(np.median(ms)) / area for name, ms in times.items()}
        per_megapixel[megapixels] = sum(each[name] for name in ("fit", "infer", "judge", "encode"))
        shown = ", ".join(f"{name} {ms:.2f}" for name, ms in each.items())
        print(f"{width}x{height} in {count} tiles: ms per megapixel: {shown}", flush=True)
    values = list(per_megapixel.values())
    print(f"per megapixel {min(values):.1f} to {max(values):.1f} ms: "
          f"{max(values) / min(values) - 1:+.0%} (at most +15 %)")  # fmt: skip
    command = [sys.executable, "-m", "tests.measure.tiles", "memory", "--work", str(options.work)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    print(f"peak memory at {WIDTH}x{HEIGHT}: {found['peak_mb']:.0f} MB (at most {MEMORY_MB})")


def memory(work: Path) -> dict[str, float]:
    """The peak memory of this process once it has judged some pictures as a line does."""
    product = of_size(load_product(work / "products", "tiles"), WIDTH, HEIGHT)
    frames = [Frame(picture(WIDTH, HEIGHT, 0), 1, 0)]
    with load(product) as engine:
        stages(engine, product, frames, 5)
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def of_size(product: Product, width: int, height: int) -> Product:
    """The product for pictures of another size; its threshold and engine stay."""
    manifest = product.manifest.model_copy(update={"height": height, "width": width})
    return replace(product, manifest=manifest)


def tile_of(product: Product) -> Tile:
    """The tile of a product that has one."""
    tile = product.manifest.tile
    assert tile is not None
    return tile


def picture(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """A sheet with a crack."""
    return SheetRenderer(height, width, seed).part(0, defective=True).image


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
