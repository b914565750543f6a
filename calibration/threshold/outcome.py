"""What a calibration says at its end, in the log."""

import logging

from calibration.threshold.calibrate import Aim, deciding_scores
from calibration.threshold.quantiles import Threshold, parts_needed
from calibration.threshold.scored_frames import ScoredFrames
from edge.product.product import Product
from edge.vision.marked_images import shown_name

log = logging.getLogger(__name__)


def log_outcome(new: Product, threshold: Threshold, aim: Aim) -> None:
    """What the new version lets through and rejects, and what it is too few parts for."""
    calibration = new.calibration
    assert calibration is not None
    parts = len(calibration.scores)
    values = ", ".join(f"{v:.4f} ({n})" for n, v in calibration.roi_thresholds.items())
    log.info(
        "%s version %s is calibrated: threshold %s from %d good parts",
        *(new.name, new.version, values or f"{calibration.threshold:.4f}", parts),
    )
    log.info(
        "false rejects: %.2f %% expected; at most %.2f %% with %g %% confidence",
        *(100 * threshold.expected, 100 * threshold.bound, 100 * aim.confidence),
    )
    if missed := calibration.escapes:
        log.info(
            "escapes: %d of %d bad parts; at most %.1f %% with %g %% confidence",
            *(missed.missed, missed.bad, 100 * missed.bound, 100 * aim.confidence),
        )
    if calibration.drift is None:
        log.warning("%d parts are too few for a watch on drift: some 10 are needed", parts)
    regions = max(1, len(calibration.roi_thresholds))
    expected, bound = parts_needed(aim.rate / regions, 1 - (1 - aim.confidence) / regions)
    reached = threshold.bound if aim.promise else threshold.expected
    if reached > aim.rate + 1e-9 and aim.costs is None:
        log.warning(
            "%d parts are too few for a false-reject rate of %g %%: %d are needed to expect it, "
            "%d to promise it with %g %% confidence (--promise)",
            *(parts, 100 * aim.rate, expected, bound, 100 * aim.confidence),
        )
    log.info("what this rests on: %s", new.path / "calibration.html")


def log_highest(good: ScoredFrames, roi: dict[str, float]) -> None:
    """Name the frames that decide, for a second look."""
    ranking = sorted(zip(deciding_scores(good, roi), good.paths, strict=True), reverse=True)
    for highest, path in ranking[:3]:
        log.info("among the highest scores: %.4f %s", highest, shown_name(path))
