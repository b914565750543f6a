"""Set the score threshold from good frames that training did not see, through this engine.

By default those that 'draem train' set aside; --images names others, --bad known bad parts, which
tell how many escape. The calibrated product is a new version, with a page that shows what the
threshold rests on (calibration.html). It becomes the current one, unless that was released: then
'draem release' activates.
"""

import argparse
import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from calibration.threshold.calibrate import Aim, calibrate
from calibration.threshold.held_out import check_marks, held_out, unseen
from calibration.threshold.outcome import log_highest, log_outcome
from calibration.threshold.quantiles import Costs
from calibration.threshold.save_calibrated import save_calibrated
from calibration.threshold.scored_frames import ScoredFrames, judge_frames
from edge.archive.data_set import Wanted, archived_pictures
from edge.archive.places import fixed_query, parse_place, split_places
from edge.base.errors import ImageError, SettingsError
from edge.base.progress_file import report_progress_to
from edge.commands.archives.address import add_archive_of_queries, address_of_queries
from edge.commands.arguments import (
    add_person,
    add_progress,
    add_settings,
    person_of,
    product_name,
    settings_of,
)
from edge.engine import runtimes
from edge.product.product import Product, load_product
from edge.station.settings import Station
from edge.vision.fit import Fit
from edge.vision.geometry import Geometry, read_geometry
from edge.vision.good_parts import bad_images

log = logging.getLogger(__name__)

KEPT_FRAMES, KEPT_PIXELS = 200, 50_000_000
"""Of the good frames, those that stay with the version; of large pictures there are fewer."""
FEWEST = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--images", type=parse_place, nargs="+", default=[], metavar="DIR",
        help="good frames to calibrate from; or 'archive:QUERY' (docs/archive.md)")  # fmt: skip
    add("--bad", type=parse_place, nargs="+", default=[], metavar="DIR",
        help="frames of parts known to be bad; or 'archive:QUERY'")  # fmt: skip
    add("--false-reject-rate", type=_share, default=0.005, metavar="RATE",
        help="the share of good parts that may be rejected (default 0.005)")  # fmt: skip
    add("--confidence", type=_share, default=0.95, metavar="C",
        help="with which the bounds on the true rates hold (default 0.95)")  # fmt: skip
    add("--promise", action="store_true", help="let the bound keep to the rate, not the "
        "expectation (takes more parts, and a higher threshold)")  # fmt: skip
    add("--each-frame", action="store_true", help="each good frame is a part of its own, however "
        "much it looks like another")  # fmt: skip
    add("--costs", type=_costs, metavar="REJECT:ESCAPE:BAD-SHARE", help="with --bad: instead of a "
        "rate, the threshold at which mistakes cost least; what a good part rejected and a bad "
        "part missed cost, and the share of parts that are bad, as 1:200:0.01")  # fmt: skip
    add("--version", default="newest", help="the product's version (default: its newest one)")
    add("--geometry", type=Path, metavar="FILE", help="what 'draem station' measured: lens, "
        "millimetres, regions of interest (default: what the product has)")  # fmt: skip
    add_progress(parser)
    add_person(parser)
    add_archive_of_queries(parser)
    add_settings(parser, "product", "products", "flavour", "bit_depth")


def main(options: argparse.Namespace) -> int:
    report_progress_to(options.progress)
    settings = settings_of(options)
    if options.costs and not options.bad:
        raise SettingsError("--costs weighs escapes, which only bad parts can show: add --bad DIR")
    product = load_product(settings.products, product_name(settings), options.version)
    geometry = _geometry(product, options)
    with _frames(product, options) as (paths, bad_paths):
        check_marks(paths, bad_paths)
        run(product, options, settings, geometry, paths, bad_paths)
    return 0


@contextmanager
def _frames(
    product: Product, options: argparse.Namespace
) -> Iterator[tuple[list[Path], list[Path]]]:
    """Good and bad frames; those of an archive are there until the block ends."""
    archived: list[list[Path]] = []
    kinds: tuple[tuple[list[Path | str], Wanted], ...] = (
        (options.images, "good"),
        (options.bad, "bad"),
    )
    with ExitStack() as opened:
        for places, kind in kinds:
            queries = [fixed_query(text, product.name) for text in split_places(places)[1]]
            address = address_of_queries(options)
            found = opened.enter_context(archived_pictures(queries, address, kind))
            archived.append([picture.path for picture in found])
        folders = split_places(options.images)[0]
        good = unseen(product, folders, archived[0]) if options.images else held_out(product)
        yield good, [*bad_images(*split_places(options.bad)[0]), *archived[1]]


def run(
    product: Product,
    options: argparse.Namespace,
    settings: Station,
    geometry: Geometry | None,
    paths: list[Path],
    bad_paths: list[Path],
) -> None:
    """Calibrate from these frames and write the new version."""
    fit = replace(product.fit, geometry=geometry)
    with runtimes.load(product, settings.flavour, fit) as engine:

        def judged(frames: list[Path], text: str, each: bool) -> ScoredFrames:
            depth = settings.bit_depth
            window = product.manifest.score_window
            return judge_frames(
                engine, fit, frames, depth, text,
                window=window, each_a_part=each, folder=product.path.parent,
            )  # fmt: skip

        good = judged(paths, "judging good frames", options.each_frame)
        # One frame decides on the line, and two defects may look alike: each bad one counts.
        bad = judged(bad_paths, "judging bad ones", True) if bad_paths else None
    _check_count(good)
    aim = Aim(options.false_reject_rate, options.confidence, options.costs, options.promise)
    kept = [f"{i:03d}.png" for i in range(min(len(good.paths), frames_to_keep(fit)))]
    made = calibrate(good, bad, aim, kept, geometry)
    log_highest(good, made.decision.roi)
    key = runtimes.serving_key(product, runtimes.pick(settings.flavour))
    new = save_calibrated(product, made, good, bad, key, person_of(options))
    log_outcome(new, made.decision.threshold, aim)


def frames_to_keep(fit: Fit) -> int:
    """How many good frames the version keeps, to show that an engine has not moved their scores."""
    return max(FEWEST, min(KEPT_FRAMES, KEPT_PIXELS // (fit.height * fit.width)))


def _geometry(product: Product, options: argparse.Namespace) -> Geometry | None:
    """What the command line names, or else what the product has."""
    geometry = read_geometry(options.geometry) if options.geometry else product.fit.geometry
    trained = product.manifest.geometry
    seen, known = (g.correction if g else None for g in (geometry, trained))
    if seen != known:
        log.warning(
            "the network was trained on pictures that were corrected otherwise: "
            "'draem train --geometry' makes it see the same"
        )
    if options.costs and geometry and geometry.regions_of_interest:
        raise SettingsError(
            "--costs finds one threshold, regions of interest need one each: leave one of them out"
        )
    return geometry


def _check_count(good: ScoredFrames) -> None:
    """Raise ImageError for too few parts."""
    parts = len(good.first_of_part)
    if parts < FEWEST:
        alike = (
            f" ({len(good.paths)} frames, but these look alike)" if parts < len(good.paths) else ""
        )
        raise ImageError(
            f"{parts} good parts are too few{alike}: give frames of at least {FEWEST} different "
            "parts with --images DIR, or count each frame with --each-frame"
        )
    if parts < len(good.paths):
        log.info(
            "%d frames show %d different parts (--each-frame counts each)", len(good.paths), parts
        )


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("a share between 0 and 1")
    return value


def _costs(text: str) -> Costs:
    try:
        reject, escape, share = (float(v) for v in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError("write REJECT:ESCAPE:BAD-SHARE, as 1:200:0.01") from None
    if not (0 < reject < math.inf and 0 < escape < math.inf and 0 < share < 1):
        raise argparse.ArgumentTypeError("finite costs above 0, and a share between 0 and 1")
    return Costs(reject, escape, share)
