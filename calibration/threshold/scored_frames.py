"""Frames as the engine sees and judges them: what every figure of a calibration comes from."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.base.console import track
from edge.base.errors import ImageError
from edge.base.large_arrays import room_for
from edge.engine import Engine
from edge.vision.alignment import NotAligned
from edge.vision.fit import Fit
from edge.vision.image_files import read_images
from edge.vision.image_folders import warn_of_mixed_sizes
from edge.vision.judge import Conditions, measure
from edge.vision.near_duplicates import part_numbers
from edge.vision.placement import Placement
from edge.vision.roi import mask_out, masks_of, roi_scores
from edge.vision.seen import judged_heat


class ScoredFrames(NamedTuple):
    """N frames of P parts: fitted [N, H, W, 3], heatmaps [N, H, W]; `part` numbers from 0.

    `scores` decide: of an aligned part they are of what lies in the camera's frame.
    `engine_scores` are of the whole input, as the engine gives them: the proof of an engine and
    the drift watch compare these. With regions of interest `roi` has the score of each, and heat
    outside of all of them is minus infinity.
    """

    paths: list[Path]
    fitted: NDArray[np.uint8]
    scores: NDArray[np.float64]
    engine_scores: NDArray[np.float64]
    heatmaps: NDArray[np.float32]
    conditions: list[Conditions]
    part: NDArray[np.int64]
    roi: Mapping[str, NDArray[np.float64]]

    def of_parts(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The highest of each part's [P]: it is rejected if any of its frames is."""
        return np.array([scores[self.part == p].max() for p in range(self.part.max() + 1)])

    @property
    def first_of_part(self) -> NDArray[np.int64]:
        """For each part the place of its first frame [P]."""
        return np.unique(self.part, return_index=True)[1]


def judge_frames(
    engine: Engine,
    fit: Fit,
    paths: list[Path],
    bit_depth: int | None,
    text: str,
    *,
    window: int,
    each_a_part: bool,
    folder: Path,
) -> ScoredFrames:
    """Frames of one part belong together, unless each is to count for itself.

    Many large ones are kept in a file in `folder`. Raises ImageError for a frame that does not fit,
    whose part cannot be aligned, or that has no finite score, with its path.
    """
    size = (len(paths), fit.height, fit.width)
    try:
        fitted = room_for((*size, 3), np.uint8, folder, "the frames")
        heatmaps = room_for(size, np.float32, folder, "their heatmaps")
    except OSError as error:
        raise ImageError(f"{error}: free space, or give fewer frames") from error
    read: list[Path] = []
    scores: list[float] = []
    engine_scores: list[float] = []
    rois: list[dict[str, float]] = []
    sizes: Counter[tuple[int, ...]] = Counter()
    for path, image in track(read_images(*paths, bit_depth=bit_depth), text, total=len(paths)):
        row = len(read)
        fitted[row], placement = _fitted(fit, image, path)
        engine_score, heatmap = _inferred(engine, fitted[row], path)
        score, heatmap = judged_heat(engine_score, heatmap, placement, window)
        if fit.geometry and fit.geometry.regions_of_interest:
            masks = masks_of(fit.geometry, placement)
            rois.append(roi_scores(heatmap, masks, window))
            heatmap = mask_out(heatmap, *masks.values())
        heatmaps[row] = heatmap
        read.append(path)
        scores.append(score)
        engine_scores.append(engine_score)
        sizes[image.shape[:2]] += 1
    warn_of_mixed_sizes(sizes)
    fitted, heatmaps = fitted[: len(read)], heatmaps[: len(read)]
    return ScoredFrames(
        paths=read,
        fitted=fitted,
        scores=np.array(scores, np.float64),
        engine_scores=np.array(engine_scores, np.float64),
        heatmaps=heatmaps,
        conditions=[measure(frame) for frame in fitted],
        part=np.arange(len(fitted)) if each_a_part else part_numbers(fitted),
        roi={name: np.array([one[name] for one in rois]) for name in (rois[0] if rois else ())},
    )


def _fitted(fit: Fit, image: NDArray[np.uint8], path: Path) -> tuple[NDArray[np.uint8], Placement]:
    """A frame as the engine sees it. Raises ImageError."""
    try:
        return fit(image)
    except NotAligned as error:
        raise ImageError(
            f"{path}: {error}: the line would give it no verdict; remove it if it shows no such "
            "part, or train again with wider limits (--align-...)"
        ) from error
    except ValueError as error:
        raise ImageError(f"{path}: {error}") from error


def _inferred(
    engine: Engine, fitted: NDArray[np.uint8], path: Path
) -> tuple[float, NDArray[np.float32]]:
    """Score and heatmap of one frame. Raises ImageError where the score is not finite."""
    found = engine.infer(fitted[None])
    score = float(found.score[0])
    if not np.isfinite(score):
        raise ImageError(f"{path} has no finite score: build the engine again, or train again")
    return score, found.heatmap[0]
