"""The command line's options of a training, and the settings that they make."""

import argparse
from pathlib import Path
from typing import Literal, cast, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from edge.archive.places import parse_place, split_places
from edge.base.errors import SettingsError
from edge.base.files import digest
from edge.base.validation import reason
from edge.commands.arguments import parse_box, parse_widths
from edge.vision.geometry import read_geometry
from trainer.training.picture_size import SIZE_OPTIONS, add_sizes, sized, with_size
from trainer.training.presets import DEFAULTS, PRESETS, SIZES
from trainer.training.settings import TrainSettings

SIZES_HELP = """
widths of the pixels networks; parameters, GMAC at 256x256, milliseconds of one 128x128 image
through the engine on two CPU cores (docs/results.md).
paper 128/64, the published networks, for a GPU: 97.4 M, 197.9 GMAC, 685 ms;
standard 32/16, for a small GPU or a longer training: 6.1 M, 12.5 GMAC, 46 ms;
small 16/8, their default, for two CPU cores: 1.5 M, 3.2 GMAC, 15 ms;
tiny 8/4, for the weakest device: 0.4 M, 0.8 GMAC, 8 ms
"""
PAIRS = {
    "widths": ("rec_width", "seg_width"),
    "input": ("height", "width"),
    "tile": ("tile_height", "tile_width"),
}
"""Options that each give two settings."""
OF_THE_STATION = {"product", "products", "runs", "bit_depth"}


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training; one that is not given is left to the preset."""
    group = parser.add_argument_group("settings of the training")
    group.argument_default = argparse.SUPPRESS
    add = group.add_argument
    add("--also", type=parse_place, nargs="+", action="extend", metavar="DIR",
        help="further good images, such as those that 'draem log mark' kept; or 'archive:QUERY' "
        "for parts of an archive (docs/archive.md)")  # fmt: skip
    add("--preset", choices=PRESETS, help="'paper': its size, widths, schedule and 700 epochs")
    add("--size", choices=SIZES, help=SIZES_HELP)
    add("--widths", type=parse_widths, metavar="REC/SEG", help="other widths than those of --size")
    add_sizes(group)
    add("--crop", type=parse_box, metavar="X,Y,W,H", help="the part of the frame to inspect")
    add("--geometry", type=lambda path: read_geometry(Path(path)), metavar="JSON",
        help="correct the frames by the geometry of 'draem station'")  # fmt: skip
    add("--align", type=Path, metavar="PICTURE", help="find each part and bring it to where this "
        "picture of a good one shows it, whole and upright")  # fmt: skip
    for name, field in TrainSettings.model_fields.items():
        if field.description:
            _add_option(group, name, field)


def _add_option(group: argparse._ArgumentGroup, name: str, field: FieldInfo) -> None:
    """An option for one setting. Its value stays text: TrainSettings reads and checks it."""
    if field.annotation is bool:
        group.add_argument(flag(name), action="store_true", help=field.description)
        return
    default = "" if field.default is None else f" (default {field.default})"
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
    metavar = None if choices else {"textures": "DIR", "backbone": "NAME"}.get(name, "N")
    group.add_argument(
        flag(name), choices=choices, metavar=metavar, help=f"{field.description}{default}"
    )


def flag(name: str) -> str:
    """The option of a setting."""
    for option, settings in PAIRS.items():
        if name in settings:
            return f"--{option}"
    return "--" + name.replace("_", "-")


def given_settings(options: argparse.Namespace) -> dict[str, object]:
    """What was given on the command line."""
    names = {*TrainSettings.model_fields, "preset", "size", *PAIRS, *SIZE_OPTIONS} - OF_THE_STATION
    return {k: v for k, v in vars(options).items() if k in names and v is not None}


def chosen(given: dict[str, object]) -> dict[str, object]:
    """The preset's settings, replaced by what was given."""
    given = dict(given)
    preset = PRESETS[str(given.pop("preset", "default"))]
    # A size is a pixels network's, so it implies one.
    implied = "pixels" if "size" in given else "features"
    network = str(given.get("network", preset.get("network", implied)))
    if network == "features" and ("size" in given or preset):
        raise SettingsError("--size and --preset paper are for --network pixels: leave them out")
    features_only = {"backbone", "memory", "max_minutes"} & given.keys()
    for name in sorted(features_only) if network == "pixels" else ():
        raise SettingsError(f"{flag(name)} is for --network features: leave it out")
    values = DEFAULTS[network] | preset | {"network": network}
    limits = {"align_turn", "align_shift", "align_quality"} & given.keys()
    if limits and "align" not in given:
        raise SettingsError(f"{flag(min(limits))} goes with --align PICTURE: name the picture")
    counts = {"steps", "epochs", "minutes"} & given.keys()
    if len(counts) > 1:
        raise SettingsError(f"{' and '.join(map(flag, sorted(counts)))} exclude each other")
    if counts and "max_minutes" in given:
        raise SettingsError(f"{flag(counts.pop())} sets the length: leave out --max-minutes")
    if counts:
        values |= {"epochs": None, "max_minutes": None}
    if "size" in given:
        values |= dict(zip(PAIRS["widths"], SIZES[str(given.pop("size"))], strict=True))
    if "widths" in given:
        widths = cast(tuple[int, int], given.pop("widths"))
        values |= dict(zip(PAIRS["widths"], widths, strict=True))
    values = sized(given, values)
    if "also" in given:
        places = cast(list[Path | str], given["also"])
        given["also"], given["archived"] = split_places(places)
    return values | given


def complete_settings(values: dict[str, object]) -> TrainSettings:
    """Checked settings, with an input size and the backbone's digest.

    Mistakes are reported before any image is read. Raises SettingsError, ImageError, BackboneError.
    """
    before = {k: v for k, v in values.items() if k != "scale"}
    if "height" not in before and "tile_height" in before:
        before |= {"height": before["tile_height"], "width": before["tile_width"]}
    make_settings(before)
    return with_backbone(make_settings(with_size(values)))


def with_backbone(settings: TrainSettings) -> TrainSettings:
    """The settings with the digest of their backbone. Raises BackboneError where it is unusable."""
    weights = settings.encoder_weights
    if weights is None:
        return settings
    _ = settings.network_spec  # whether the file is one of a network that is known
    return settings.model_copy(update={"backbone_sha256": digest(weights)})


def make_settings(values: dict[str, object]) -> TrainSettings:
    """Checked settings. Raises SettingsError."""
    try:
        return TrainSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = flag(str(first["loc"][0]))
        raise SettingsError(f"{name} {first['input']}: {reason(first)}; correct it") from error
