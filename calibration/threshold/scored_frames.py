"""Frames as the engine sees and judges them: what every figure of a calibration comes from."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.base.console import track
from edge.base.errors import ImageError
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

    `scores` are the engine's; with regions of interest `roi` has the score of each, and heat
    outside of all of them is minus infinity.
    """

    paths: list[Path]
    fitted: NDArray[np.uint8]
    scores: NDArray[np.float64]
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


def _fitted(
    fit: Fit, paths: list[Path], bit_depth: int | None
) -> tuple[list[Path], list[NDArray[np.uint8]], list[Placement]]:
    """The frames that can be read, as the engine sees them."""
    read: list[Path] = []
    fitted: list[NDArray[np.uint8]] = []
    placements: list[Placement] = []
    sizes: Counter[tuple[int, ...]] = Counter()
    for path, image in read_images(*paths, bit_depth=bit_depth):
        try:
            frame, placement = fit(image)
        except NotAligned as error:
            raise ImageError(
                f"{path}: {error}: the line would give it no verdict; remove it if it shows no "
                "such part, or train again with wider limits (--align-...)"
            ) from error
        except ValueError as error:
            raise ImageError(f"{path}: {error}") from error
        read.append(path)
        fitted.append(frame)
        placements.append(placement)
        sizes[image.shape[:2]] += 1
    warn_of_mixed_sizes(sizes)
    return read, fitted, placements


def judge_frames(
    engine: Engine,
    fit: Fit,
    paths: list[Path],
    bit_depth: int | None,
    text: str,
    *,
    window: int,
    each_a_part: bool,
) -> ScoredFrames:
    """Frames of one part belong together, unless each is to count for itself.

    Raises ImageError for a frame that does not fit, whose part cannot be aligned, or that has no
    finite score, with its path.
    """
    read, fitted, placements = _fitted(fit, paths, bit_depth)
    found = [engine.infer(frame[None]) for frame in track(fitted, text)]
    scores = np.array([float(one.score[0]) for one in found])
    for path, score in zip(read, scores, strict=True):
        if not np.isfinite(score):
            raise ImageError(f"{path} has no finite score: build the engine again, or train again")
    heatmaps = [one.heatmap[0] for one in found]
    judged = [judged_heat(float(s), h, p, window)
              for s, h, p in zip(scores, heatmaps, placements, strict=True)]  # fmt: skip
    scores, heatmaps = np.array([score for score, _ in judged]), [heat for _, heat in judged]
    rois: list[dict[str, float]] = []
    if fit.geometry and fit.geometry.regions_of_interest:
        masks = [masks_of(fit.geometry, placement) for placement in placements]
        rois = [roi_scores(h, m, window) for h, m in zip(heatmaps, masks, strict=True)]
        heatmaps = [mask_out(h, *m.values()) for h, m in zip(heatmaps, masks, strict=True)]
    return ScoredFrames(
        paths=read,
        fitted=np.stack(fitted),
        scores=scores,
        heatmaps=np.stack(heatmaps),
        conditions=[measure(frame) for frame in fitted],
        part=np.arange(len(fitted)) if each_a_part else part_numbers(fitted),
        roi={name: np.array([one[name] for one in rois]) for name in (rois[0] if rois else ())},
    )
