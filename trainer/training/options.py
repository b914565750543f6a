"""The options of training: which there are, and the settings that they make."""

import argparse
from pathlib import Path
from typing import cast

from edge.base.errors import SettingsError
from edge.commands.arguments import (
    add_settings,
    parse_box,
    parse_size,
    parse_widths,
)
from edge.vision.geometry import Geometry, read_geometry
from trainer.training.train_settings import PRESETS, SIZES, TrainSettings

SIZES_HELP = (
    "widths of the networks (default small); GMAC at 256x256, milliseconds of one 128x128 image "
    "through the engine on two CPU cores: "
    + "; ".join(f"{name} {size}" for name, size in SIZES.items())
)
NUMBERS = (
    ("steps", int, "training steps"),
    ("epochs", int, "instead of steps: times that every image is seen"),
    ("minutes", float, "instead of steps: as many as fit into so much time, measured at the start"),
    ("batch", int, "images a step (and process)"),
    ("learning_rate", float, "the highest rate of the schedule"),
    ("rotation", float, "turn half of the good images by up to so many degrees"),
    ("light", float, "make half of them darker or lighter by up to this share of 1"),
    ("good_share", float, "the share of images that get no anomaly"),
    (
        "score_window",
        int,
        "pixels a side that the score averages the heatmap over (default 3 at 128x128, 5 at "
        "256x256); fewer for small defects, 21 at 256x256 are the authors'",
    ),
    ("validate_every", int, "steps from one validation to the next"),
    ("seed", int, "the same seed gives the same training"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("images", type=Path, nargs="?", metavar="DIR", help="good images")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    again.add_argument("--restart", action="store_true", help="throw an interrupted one away")
    add("--preview", type=Path, metavar="PNG", help="only show what the network would see")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where weights are kept")
    add_training(parser)
    add_settings(parser, "product", "products", "bit_depth")


def add_training(parser: argparse.ArgumentParser) -> None:
    """The options of a training; one that is not given is left to the preset."""
    default = {name: field.default for name, field in TrainSettings.model_fields.items()}
    group = parser.add_argument_group("settings of the training")
    group.argument_default = argparse.SUPPRESS
    add = group.add_argument
    add("--also", type=Path, nargs="+", metavar="DIR",
        help="further good images, such as those that 'draem log mark' pinned")  # fmt: skip
    add("--preset", choices=PRESETS, help="'paper': its size, widths, schedule and 700 epochs")
    add("--size", choices=SIZES, help=SIZES_HELP)
    add("--widths", type=parse_widths, metavar="REC/SEG", help="other widths than those of --size")
    add("--input", type=parse_size, metavar="HxW", help=_help("what the network sees", "128x128"))
    add("--crop", type=parse_box, metavar="X,Y,W,H", help="the part of the frame to look at")
    add("--geometry", type=_geometry, metavar="JSON",
        help="correct what is seen by the geometry of 'draem station'")  # fmt: skip
    for name, kind, text in NUMBERS:
        add(flag(name), type=kind, metavar="N", help=_help(text, default[name]))
    add(
        "--mirror",
        action="store_true",
        help="mirror half of them left to right, and half top to bottom",
    )
    add(
        "--simulation",
        choices=["mixed", "paper"],
        help="anomalies to learn from: 'mixed' (default) is textures, and the image itself "
        "displaced, shaded, bent or blurred; 'paper' is textures alone",
    )
    add("--textures", type=Path, metavar="DIR", help="pictures as anomaly textures")
    add("--precision", choices=["auto", "float32", "bfloat16", "float16"],
        help="of the convolutions (default auto: what the device is made for)")  # fmt: skip
    add("--compile", action="store_true", help="use torch.compile (minutes at the start)")
    add("--sync-batchnorm", action="store_true", help="one BatchNorm for all GPUs")
    add("--device", choices=["auto", "cpu", "cuda"], help="where to train (default auto)")


def given_settings(options: argparse.Namespace) -> dict[str, object]:
    """What was said on the command line."""
    return {k: v for k, v in vars(options).items() if k in GIVEN and v is not None}


def _geometry(path: str) -> Geometry:
    """Read when it is asked for; what is wrong with it is told as such."""
    return read_geometry(Path(path))


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _help(text: str, default: object) -> str:
    return text if default is None else f"{text} (default {default})"


GIVEN = {*TrainSettings.model_fields, "preset", "size", "widths", "input"} - {
    "product", "products", "runs", "bit_depth",
}  # fmt: skip


def chosen(given: dict[str, object]) -> dict[str, object]:
    """The preset's settings, and before it goes what was given."""
    given = dict(given)
    values = dict(PRESETS[str(given.pop("preset", "default"))])
    counts = {"steps", "epochs", "minutes"} & given.keys()
    if len(counts) > 1:
        raise SettingsError(f"{' and '.join(map(flag, sorted(counts)))} exclude each other")
    if counts:
        values.pop("epochs", None)
    if "size" in given:
        size = SIZES[str(given.pop("size"))]
        values |= {"rec_width": size.rec_width, "seg_width": size.seg_width}
    for pair, names in (("widths", ("rec_width", "seg_width")), ("input", ("height", "width"))):
        if pair in given:
            values |= dict(zip(names, cast(tuple[int, int], given.pop(pair)), strict=True))
    return values | given


def make_settings(values: dict[str, object]) -> TrainSettings:
    """Checked settings. Raises SettingsError."""
    from pydantic import ValidationError

    try:
        return TrainSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        setting = str(first["loc"][0])
        name = OPTIONS.get(setting, flag(setting))
        raise SettingsError(f"{name} {first['input']}: {first['msg']}; correct it") from error


OPTIONS = dict.fromkeys(("height", "width"), "--input")
