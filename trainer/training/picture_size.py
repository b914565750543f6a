"""At which size pictures are judged: --input, --scale, --mm-per-pixel and --tile."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edge.base.errors import SettingsError
from edge.commands.arguments import parse_sides, parse_size
from edge.vision.fit import Fit
from edge.vision.frame import Box
from edge.vision.geometry import Geometry
from edge.vision.good_parts import find_good
from edge.vision.tiles import MULTIPLE, TilePlan
from trainer.data.input_size import LARGEST, Seen, round_side, seen_by, usual_size
from trainer.training.settings import tile_of

log = logging.getLogger(__name__)

SIDES = ("height", "width")
SIZE_OPTIONS = ("input", "scale", "mm_per_pixel")
MUCH_SMALLER = 2.5
"""Camera pixels a side that become one pixel of the input, from which on a hint is given."""
USUAL_TILE = 320


@dataclass(frozen=True)
class Scale:
    """How large the pictures are judged: a share of their own size, or mm a pixel."""

    share: float | None = None
    mm_per_pixel: float | None = None


def add_sizes(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    add = group.add_argument
    add("--input", type=parse_sides, metavar="HxW", help="the size at which pictures are judged "
        "(default: in their proportions with as many pixels as 320x320; 128x128 for pixels); "
        "multiples of 32, with --tile any")  # fmt: skip
    add("--tile", type=parse_size, metavar="N", help="train on crops of N or HxW pixels and judge "
        "in tiles of that size, at the pictures' own scale (320 is a good size)")  # fmt: skip
    add("--scale", type=_scale, metavar="F",
        help="instead of --input: a share of the pictures' own size")  # fmt: skip
    add("--mm-per-pixel", type=_mm, metavar="MM",
        help="instead of --input: what one pixel shows of the part; with --geometry")  # fmt: skip


def sized(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """`defaults` with what was given of the options, which are taken out of `given`.

    Sizes that depend on the pictures are a `scale` there, for `with_size`. Raises SettingsError.
    """
    named = [name for name in SIZE_OPTIONS if name in given]
    if len(named) > 1:
        flags = " and ".join("--" + name.replace("_", "-") for name in named)
        raise SettingsError(f"{flags} exclude each other: leave out all but one")
    if "mm_per_pixel" in given:
        geometry = cast(Geometry | None, given.get("geometry"))
        if geometry is None or geometry.unit_mm is None:
            raise SettingsError(
                "--mm-per-pixel needs to know what the camera's pixels show: measure it with "
                "'draem station', and give its file with --geometry"
            )
    values, tile = dict(defaults), given.pop("tile", None)
    if tile:
        values |= {"tile_height": tile[0], "tile_width": tile[1]}
    if "input" in given:
        values["height"], values["width"] = given.pop("input")
    elif named or tile:
        values = {k: v for k, v in values.items() if k not in SIDES}
        share, mm = given.pop("scale", None), given.pop("mm_per_pixel", None)
        values["scale"] = Scale(share, mm) if named else Scale(share=1.0)
    return values


def with_size(values: dict[str, Any]) -> dict[str, Any]:
    """The settings with `height` and `width`, by the pictures where they were not given."""
    values = dict(values)
    scale = cast(Scale | None, values.pop("scale", None))
    if "height" in values:
        return values
    images = find_good(Path(str(values["images"]))).images
    geometry = cast(Geometry | None, values.get("geometry"))
    fit = Fit(1, 1, crop=cast(Box | None, values.get("crop")), geometry=geometry)
    seen = seen_by(images, fit, cast(int | None, values.get("bit_depth")))
    if scale is None:
        height, width = usual_size(seen)
        _tell_of_loss(seen, height, width)
        return values | {"height": height, "width": width}
    sides = _scaled(seen, scale)
    if not values.get("tile_height"):
        return values | dict(zip(SIDES, map(round_side, sides), strict=True))
    _check_sides(sides, scale)
    # A side shorter than the tile has a tile as short.
    tile = {n: min(values[f"tile_{n}"], _below(s)) for n, s in zip(SIDES, sides, strict=True)}
    short = {f"tile_{n}": side for n, side in tile.items()}
    return values | dict(zip(SIDES, sides, strict=True)) | short


def _below(side: int) -> int:
    """The largest side of an input that is no longer."""
    return side // MULTIPLE * MULTIPLE


def _scaled(seen: Seen, scale: Scale) -> tuple[int, int]:
    """Height and width of pictures at a scale."""
    if scale.mm_per_pixel is None:
        share = scale.share or 1.0
        return round(seen.height * share), round(seen.width * share)
    assert seen.height_mm is not None  # `sized` has looked
    assert seen.width_mm is not None
    sides = round(seen.height_mm / scale.mm_per_pixel), round(seen.width_mm / scale.mm_per_pixel)
    if max(sides[0] / seen.height, sides[1] / seen.width) > LARGEST:
        raise SettingsError(
            f"--mm-per-pixel {scale.mm_per_pixel:g} enlarges the pictures more than "
            f"{LARGEST:g} times: their own pixels show {seen.width_mm / seen.width:.3g} mm"
        )
    return sides


def _check_sides(sides: tuple[int, int], scale: Scale) -> None:
    """Raise SettingsError where pictures at a scale are smaller than any tile."""
    if min(sides) >= MULTIPLE:
        return
    small = f"makes the pictures {sides[1]}x{sides[0]}, and a tile has at least {MULTIPLE} a side"
    if scale.mm_per_pixel is None:
        raise SettingsError(
            f"--tile with --scale {scale.share or 1:g} {small}: choose a larger --scale, or leave "
            "out --tile"
        )
    raise SettingsError(
        f"--tile with --mm-per-pixel {scale.mm_per_pixel:g} {small}: choose fewer mm, or leave out "
        "--tile"
    )


def _tell_of_loss(seen: Seen, height: int, width: int) -> None:
    """One line where small defects of large pictures cannot be seen."""
    smaller = (seen.height * seen.width / (height * width)) ** 0.5
    if smaller < MUCH_SMALLER:
        return
    sides = min(USUAL_TILE, int(seen.height)), min(USUAL_TILE, int(seen.width))
    tile = tile_of(max(MULTIPLE, _below(sides[0])), max(MULTIPLE, _below(sides[1])))
    plan = TilePlan(max(MULTIPLE, int(seen.height)), max(MULTIPLE, int(seen.width)), tile)
    longer = len(plan.places) * tile.height * tile.width / (height * width)
    log.info(
        "pictures of %.0fx%.0f are judged at %dx%d: a defect narrower than %.0f of their pixels "
        "may be lost; '--tile %d' keeps their scale, and a part takes about %.0f times as long",
        *(seen.width, seen.height, width, height, smaller, USUAL_TILE, longer),
    )


def _scale(text: str) -> float:
    value = _number(text)
    if not 0 < value <= LARGEST:
        raise argparse.ArgumentTypeError(f"a number above 0, at most {LARGEST:g}")
    return value


def _mm(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("a number of mm above 0, at most 1000")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
