"""Train DRAEM on images of good parts: a new version of the product.

Some of the images are set aside: a tenth to watch the training, a fifth for 'draem calibrate'.
The float32 weights stay under --runs. The next step is 'draem build'.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

from edge.arguments import add_settings, parse_box, parse_size, product_name, settings_of
from trainer.settings import TrainSettings

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = {name: field.default for name, field in TrainSettings.model_fields.items()}
    add = parser.add_argument
    add("images", type=Path, metavar="DIR", help="a folder of images of good parts")
    add(
        "--size",
        type=parse_size,
        default=(default["height"], default["width"]),
        metavar="HxW",
        help=f"what the network sees, multiples of 32 (default {default['height']})",
    )
    add("--crop", type=parse_box, metavar="X,Y,W,H", help="the part of the frame to look at")
    for name, kind, text in (
        ("rec_width", int, "width of the reconstructive network, the paper's is 128"),
        ("seg_width", int, "width of the discriminative network, the paper's is 64"),
        ("steps", int, "training steps"),
        ("batch", int, "images a step"),
        ("learning_rate", float, "the highest rate of the one-cycle schedule"),
        ("rotation", float, "turn the good images by up to so many degrees"),
        ("seed", int, "the same seed gives the same training"),
    ):
        flag = f"--{name.replace('_', '-')}"
        add(
            flag,
            type=kind,
            default=default[name],
            metavar="N",
            help=f"{text} (default {default[name]})",
        )
    add("--textures", type=Path, metavar="DIR", help="pictures as anomaly textures")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to train")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where weights are kept")
    add_settings(parser, "product", "products", "bit_depth")


def main(options: argparse.Namespace) -> int:
    station = settings_of(options)
    chosen = {name: v for name, v in vars(options).items() if name in TrainSettings.model_fields}
    height, width = options.size
    chosen |= {
        "product": product_name(station),
        "products": station.products,
        "bit_depth": station.bit_depth,
        "height": height,
        "width": width,
    }
    return run(make_settings(chosen))


def make_settings(values: dict[str, object]) -> TrainSettings:
    """Checked settings. Raises SettingsError."""
    from pydantic import ValidationError

    from edge.errors import SettingsError

    try:
        return TrainSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = "--" + str(first["loc"][0]).replace("_", "-")
        raise SettingsError(f"{name} {first['input']}: {first['msg']}; correct it") from error


def run(settings: TrainSettings) -> int:
    """Read the images, train, and write the product."""
    import torch

    from edge.product import check_name
    from trainer.data import load_sources
    from trainer.save import Trained, save_product
    from trainer.train import texture_source, train

    check_name(settings.product)
    sources = load_sources(settings.images, settings.fit, settings.seed, settings.bit_depth)
    for folder in (settings.products, settings.runs):
        folder.mkdir(parents=True, exist_ok=True)
        # Better refused now than after the training.
        with tempfile.TemporaryFile(dir=folder):
            pass
    counts = {split: len(sources.part(split)) for split in ("train", "validation", "calibration")}
    log.info(
        "%d images to train on, %d to validate, %d set aside for calibration", *counts.values()
    )
    start = time.monotonic()
    model = train(settings, sources.part("train"))
    seconds = time.monotonic() - start
    trained = Trained(
        model=model,
        fit=settings.fit,
        good=sources.part("validation"),
        textures=texture_source(settings.textures, torch.device("cpu")),
        seed=settings.seed,
        sources=sources.record(),
        origin=settings.model_dump(mode="json", exclude={"crop"}) | {"seconds": round(seconds, 1)},
    )
    product = save_product(trained, settings.products, settings.product, settings.runs)
    log.info(
        "%s version %s is trained (%.0f s): next 'draem build --product %s'",
        *(product.name, product.version, seconds, product.name),
    )
    return 0
