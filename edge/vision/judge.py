"""From score, heatmap and conditions to a verdict: arrays in, values out, no I/O.

Fail-safe by construction: OK is what remains when everything that could be wrong was ruled out.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.events.codes import Code
from edge.events.event import Region, Verdict
from edge.vision.calibration import Calibration
from edge.vision.placement import Placement
from edge.vision.roi import mask_out, masks_of, roi_scores, worst
from edge.vision.seen import judged_heat

MOST_REGIONS = 1000
"""Of one part: an event stays small, and a picture full of specks takes no longer to judge."""


class Conditions(NamedTuple):
    """Of a fitted frame: mean gray level, its standard deviation, variance of the Laplacian."""

    brightness: float
    contrast: float
    sharpness: float


class Judgement(NamedTuple):
    """A verdict with its reasons. `mask` is HW, 0 and 255, at the model's size.

    `score` and `threshold` are those of `roi` where the product has regions of interest.
    """

    verdict: Verdict
    code: Code
    score: float
    threshold: float | None
    regions: list[Region]
    mask: NDArray[np.uint8]
    roi: str | None = None


def measure(fitted: NDArray[np.uint8]) -> Conditions:
    """The conditions under which a fitted frame (HWC BGR) was taken."""
    gray = cv2.cvtColor(fitted, cv2.COLOR_BGR2GRAY)
    mean, deviation = cv2.meanStdDev(gray)
    laplacian = cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_16S))[1]
    return Conditions(float(mean[0, 0]), float(deviation[0, 0]), float(laplacian[0, 0]) ** 2)


def conditions_code(conditions: Conditions, calibration: Calibration) -> Code:
    """NONE where all conditions lie in their calibrated ranges, else the first one's code."""
    if not calibration.brightness.contains(conditions.brightness):
        return Code.BRIGHTNESS
    if not calibration.contrast.contains(conditions.contrast):
        return Code.CONTRAST
    if not calibration.sharpness.contains(conditions.sharpness):
        return Code.SHARPNESS
    return Code.NONE


def judge(
    score: float,
    heatmap: NDArray[np.float32],
    conditions: Conditions,
    calibration: Calibration | None,
    placement: Placement,
    window: int,
) -> Judgement:
    """The verdict on one frame from its score and heatmap [H, W], and the score's `window`.

    NG if and only if a usable score reaches the threshold; pixel threshold and minimum area only
    shape the regions, and an NG always has at least its largest one. With regions of interest the
    score of the worst of them decides, and heat outside all of them is ignored. So is heat of an
    aligned part's picture beyond the camera's frame.
    """
    empty = np.zeros(heatmap.shape, np.uint8)
    if not (np.isfinite(score) and np.isfinite(heatmap).all()):
        threshold = calibration.whole_threshold if calibration else None
        return Judgement("NO_VERDICT", Code.NOT_FINITE, score, threshold, [], empty)
    if calibration is None:
        return Judgement("NO_VERDICT", Code.UNCALIBRATED, score, None, [], empty)
    score, heatmap = judged_heat(score, heatmap, placement, window)
    deciding = _deciding_score(score, heatmap, calibration, placement, window)
    score, threshold, roi = deciding.score, deciding.threshold, deciding.roi
    if threshold is None:
        return Judgement("NO_VERDICT", Code.UNCALIBRATED, score, None, [], empty, roi)
    mask, regions = find_regions(
        deciding.heatmap, calibration.pixel_threshold, calibration.min_area, placement
    )
    code = conditions_code(conditions, calibration)
    if code is not Code.NONE:
        return Judgement("NO_VERDICT", code, score, threshold, regions, mask, roi)
    if score < threshold:
        return Judgement("OK", code, score, threshold, regions, mask, roi)
    if not regions:  # low heat everywhere: the largest region at half of the maximum
        level = float(deciding.roi_heatmap.max()) / 2
        mask, regions = find_regions(deciding.roi_heatmap, level, 1, placement, limit=1)
    return Judgement("NG", code, score, threshold, regions, mask, roi)


class DecidingScore(NamedTuple):
    """The score and threshold that decide: those of `roi`, or of the whole map where it is None.

    `heatmap` is what all regions of interest contain, `roi_heatmap` what `roi` contains. Where a
    region has no threshold, `threshold` is None and `roi` names it.
    """

    score: float
    threshold: float | None
    roi: str | None
    heatmap: NDArray[np.float32]
    roi_heatmap: NDArray[np.float32]


def _deciding_score(
    score: float,
    heatmap: NDArray[np.float32],
    calibration: Calibration,
    placement: Placement,
    window: int,
) -> DecidingScore:
    """Of the whole map, or of the worst region of interest."""
    if calibration.geometry is None or not calibration.geometry.regions_of_interest:
        return DecidingScore(score, calibration.threshold, None, heatmap, heatmap)
    masks = masks_of(calibration.geometry, placement)
    scores, thresholds = roi_scores(heatmap, masks, window), calibration.roi_thresholds
    missing = sorted(scores.keys() - thresholds.keys())
    roi = missing[0] if missing else worst(scores, thresholds)
    everywhere, inside = mask_out(heatmap, *masks.values()), mask_out(heatmap, masks[roi])
    return DecidingScore(scores[roi], thresholds.get(roi), roi, everywhere, inside)


def find_regions(
    heatmap: NDArray[np.float32],
    level: float,
    min_area: int,
    placement: Placement,
    *,
    limit: int = MOST_REGIONS,
) -> tuple[NDArray[np.uint8], list[Region]]:
    """Mask and regions of connected pixels at or above `level`, at least `min_area` of them.

    Regions come largest first, in pixels of the camera frame; `limit` is how many are kept, and
    the mask shows these.
    """
    hot = (heatmap >= level).astype(np.uint8)
    mask = np.zeros(heatmap.shape, np.uint8)
    x, y, width, height = cv2.boundingRect(hot)  # most pictures are cold, labels take long
    if width == 0:
        return mask, []
    around = slice(y, y + height), slice(x, x + width)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hot[around], connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = [i for i in range(1, count) if areas[i] >= min_area]
    kept = sorted(kept, key=lambda i: -int(areas[i]))[:limit]
    shown = np.zeros(count, np.uint8)
    shown[kept] = 255
    mask[around] = shown[labels]
    there = heatmap[around], labels, (x, y)
    return mask, [_region(*there, i, stats[i], placement) for i in kept]


def _region(
    heatmap: NDArray[np.float32],
    labels: cv2.typing.MatLike,
    corner: tuple[int, int],
    label: int,
    stats: NDArray[np.int32],
    placement: Placement,
) -> Region:
    """Of a label in a part of the heatmap that begins at `corner` (x, y) of it."""
    x, y, width, height, area = (int(v) for v in stats)
    box, pixel_mm2 = (corner[0] + x, corner[1] + y, width, height), placement.pixel_mm2()
    around = slice(y, y + height), slice(x, x + width)
    return Region(
        box=placement.box_to_frame(box),
        area=max(1, round(area * placement.frame_pixels(box))),
        score=float(heatmap[around][labels[around] == label].max()),
        box_mm=placement.box_to_mm(box),
        area_mm2=None if pixel_mm2 is None else area * pixel_mm2,
    )
