"""Measure a station: lens, the part's plane, millimetres, regions of interest.

  draem station --board charuco:9x7:20:15 --print board.png        print it at 100 %
  draem station --board charuco:9x7:20:15 --images views/ --plane flat.png \\
      --roi rim=40,40,600,40,600,440,40,440 --to geometry.json --show check.png

Views of the board give the lens; one picture of it on the part's plane gives millimetres. Either
may be left out. docs/station.md goes through it. Next: 'draem train --geometry geometry.json'.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from calibration.geometry.board import Board, parse_board, print_board
from calibration.geometry.board_views import Refused, Views
from calibration.geometry.lens import LensResult, doubts, measure_lens
from calibration.geometry.overlay import overlay
from calibration.geometry.plane import measure_plane
from edge.base.errors import ImageError
from edge.base.files import write_json
from edge.base.validation import first_cause
from edge.camera import all_frames
from edge.camera.open import open_camera
from edge.commands.arguments import add_settings, parse_count, settings_of
from edge.events.codes import Code
from edge.station.settings import Station
from edge.vision.geometry import Geometry, GeometryError, read_geometry
from edge.vision.image_files import find_images, read_image, write_png

log = logging.getLogger(__name__)

PATIENCE = 300
MOST_TOLD = 20
Picture = NDArray[np.uint8]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--board", metavar="BOARD", help="charuco:COLUMNSxROWS:SQUARE_MM:MARKER_MM[:DICTIONARY] "
        "or chessboard:COLUMNSxROWS:SQUARE_MM (columns and rows are squares)")  # fmt: skip
    add("--print", type=Path, metavar="PNG", help="draw the board to print at 1:1, and stop")
    add("--images", type=Path, metavar="DIR", help="at least 8 views of the board, for the lens")
    add("--views", type=parse_count, default=15, metavar="N",
        help="with --source: how many different views to take (default 15)")  # fmt: skip
    add("--plane", type=Path, metavar="IMAGE", help="the board lying on the part's plane, for mm")
    add("--mm-per-pixel", type=float, metavar="MM", help="instead of --plane, measured by hand")
    add("--roi", action="append", default=[], metavar="NAME=X,Y,X,Y,X,Y...",
        help="a region of interest, corners in frame pixels; may be given again")  # fmt: skip
    add("--from", dest="base", type=Path, metavar="JSON", help="go on from this geometry")
    add("--to", type=Path, metavar="JSON", help="where the geometry goes")
    add("--show", type=Path, metavar="PNG", help="a picture to check it by: grid and regions")
    add_settings(parser, "source", "read_deadline_ms", "bit_depth")


def main(options: argparse.Namespace) -> int:
    board = parse_board(options.board) if options.board else None
    if options.print:
        width, height = print_board(_needed(board), options.print)
        log.info(
            "%s is %dx%d mm: print it at 100 %%, check its line of 50 mm with a ruler",
            *(options.print, width, height),
        )
        return 0
    if options.to is None:
        raise GeometryError("no place for the geometry: add --to geometry.json")
    made, picture = measure(options, board)
    shown = check_picture(made, picture) if options.show else None
    write_json(options.to, made.model_dump(mode="json"))
    log.info("%s holds %s", options.to, summary(made))
    if shown is not None:
        write_png(options.show, shown)
        log.info("check %s: its grid must be straight on the right", options.show)
    return 0


def check_picture(geometry: Geometry, picture: Picture | None) -> Picture:
    """The grid and the regions on a picture of the station, or on an empty one."""
    if picture is None:
        if geometry.frame is None:
            raise GeometryError("--show needs a picture of the station: add --plane IMAGE")
        picture = np.full((geometry.frame[1], geometry.frame[0], 3), 60, np.uint8)
    return overlay(geometry, picture)


def measure(options: argparse.Namespace, board: Board | None) -> tuple[Geometry, Picture | None]:
    """The geometry that the options ask for, and a picture to show it on."""
    settings = settings_of(options)
    base = read_geometry(options.base) if options.base else Geometry()
    fields: dict[str, object] = {name: getattr(base, name) for name in Geometry.model_fields}
    picture: Picture | None = None
    if options.images or options.source:
        views = take_views(_needed(board), options, settings)
        _tell_refused(views.refused)
        lens = measure_lens(views)
        _tell_refused(lens.refused[len(views.refused) :])
        _tell(lens)
        # A plane of before was measured through another lens.
        fields |= {"lens": lens.lens, "frame": lens.frame, "plane": None}
    if options.plane:
        picture = read_image(options.plane, settings.bit_depth)
        fields |= _plane(_needed(board), options.plane, picture, fields)
    if options.mm_per_pixel is not None:
        if fields["plane"] is not None:
            raise GeometryError("--mm-per-pixel and a plane exclude each other: leave one out")
        fields["mm_per_pixel"] = options.mm_per_pixel
    fields["regions_of_interest"] = base.regions_of_interest | dict(map(parse_roi, options.roi))
    if fields == {name: getattr(Geometry(), name) for name in Geometry.model_fields}:
        raise GeometryError(
            "nothing to measure: add --images DIR, --plane IMAGE, --mm-per-pixel or --roi"
        )
    return usable(fields), picture


def usable(fields: dict[str, object]) -> Geometry:
    """Raises GeometryError where it makes no sense."""
    try:
        return Geometry.model_validate(fields)
    except ValidationError as error:
        raise GeometryError(f"this geometry cannot be used: {first_cause(error)}") from error


def take_views(board: Board, options: argparse.Namespace, settings: Station) -> Views:
    """From a folder, else from the camera."""
    if options.images:
        return from_images(board, options.images, settings.bit_depth)
    return from_camera(board, options.views, settings)


def _plane(
    board: Board, path: Path, picture: Picture, fields: dict[str, object]
) -> dict[str, object]:
    frame, wanted = (picture.shape[1], picture.shape[0]), fields["frame"]
    if wanted is not None and wanted != frame:
        raise GeometryError(
            f"--plane {path} is {frame[0]}x{frame[1]}, the lens was measured at another size: "
            "take all pictures with the same settings of the camera"
        )
    lens = usable({"frame": frame, "lens": fields["lens"]}).lens
    found = measure_plane(board, str(path), picture, lens)
    tilt = "" if found.tilt_degrees is None else f", tilted by {found.tilt_degrees:.1f} degrees"
    log.info(
        "plane: RMS %.3f px, %.5f mm per pixel in the middle%s",
        *(found.rms_px, found.mm_per_pixel, tilt),
    )
    if lens is None:
        log.warning("without --images the lens is taken for perfect")
    return {"frame": frame, "plane": found.plane, "mm_per_pixel": found.mm_per_pixel}


def from_images(board: Board, folder: Path, bit_depth: int | None) -> Views:
    """Every image of a folder as a view."""
    views = Views(board, None)
    for path in find_images(folder):
        try:
            views = views.with_picture(path.name, read_image(path, bit_depth))
        except ImageError as error:
            views = views.without(path.name, str(error))
    return views


def from_camera(board: Board, count: int, settings: Station) -> Views:
    """Different views while somebody moves the board, however long that takes."""
    views, idle = Views(board, None), 0
    with open_camera(
        settings.source,
        triggered=False,
        bit_depth=settings.bit_depth,
        deadline_ms=settings.read_deadline_ms,
    ) as camera:
        for frame in all_frames(camera):
            if frame.code is not Code.NONE:
                continue
            name, before = f"frame {frame.frame_id}", len(views.seen)
            views = views.with_picture(name, frame.image)
            idle = 0 if len(views.seen) > before else idle + 1
            if idle == 0:
                log.info("view %d of %d: move and tilt the board", before + 1, count)
            if len(views.seen) == count or (idle == PATIENCE and not camera.live):
                break
    return views


def _tell_refused(refused: tuple[Refused, ...]) -> None:
    for each in refused[:MOST_TOLD]:
        log.warning("not used: %s: %s", each.name, each.why)
    if len(refused) > MOST_TOLD:
        log.warning("not used: %d more", len(refused) - MOST_TOLD)


def _tell(result: LensResult) -> None:
    matrix = result.lens.camera_matrix
    log.info(
        "lens: RMS reprojection error %.3f px over %d views (%d not used), focal length %.1f px "
        "(+-%.2f %%), %.0f %% of the frame covered",
        *(result.rms_px, len(result.used), len(result.refused), matrix[0][0]),
        *(100 * result.focal_error, 100 * result.coverage),
    )
    for doubt in doubts(result):
        log.warning("%s", doubt)


def parse_roi(text: str) -> tuple[str, tuple[tuple[float, float], ...]]:
    """Name and corners from NAME=x,y,x,y,x,y. Raises GeometryError."""
    name, equals, rest = text.partition("=")
    try:
        numbers = [float(number) for number in rest.split(",")]
    except ValueError:
        numbers = []
    if not equals or len(numbers) < 2 or len(numbers) % 2:
        raise GeometryError(f"--roi {text}: write NAME=x,y,x,y,x,y in frame pixels")
    return name, tuple(zip(numbers[::2], numbers[1::2], strict=True))


def summary(geometry: Geometry) -> str:
    """What a geometry has, in words."""
    has = [name for name in ("lens", "plane") if getattr(geometry, name) is not None]
    if geometry.mm_per_pixel is not None:
        has.append(f"{geometry.mm_per_pixel:.5g} mm per pixel")
    names = geometry.regions_of_interest
    if names:
        has.append(f"regions of interest {', '.join(names)}")
    return ", ".join(has)


def _needed(board: Board | None) -> Board:
    if board is None:
        raise GeometryError("no board named: add --board charuco:COLUMNSxROWS:SQUARE_MM:MARKER_MM")
    return board
