"""Frames as the engine sees and judges them: what every figure of a calibration comes from."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.parts import distinct
from edge.engine import Engine
from edge.errors import ImageError
from edge.images import read_images
from edge.judge import Conditions, measure
from edge.product import Product
from edge.progress import track


class Judged(NamedTuple):
    """N frames of P parts: fitted [N, H, W, 3], heatmaps [N, H, W]; `part` numbers from 0."""

    paths: list[Path]
    fitted: NDArray[np.uint8]
    scores: NDArray[np.float64]
    heatmaps: NDArray[np.float32]
    conditions: list[Conditions]
    part: NDArray[np.int64]

    @property
    def part_scores(self) -> NDArray[np.float64]:
        """The highest score of each part [P]: it is rejected if any of its frames is."""
        return np.array([self.scores[self.part == p].max() for p in range(self.part.max() + 1)])

    @property
    def first_of_part(self) -> NDArray[np.int64]:
        """For each part the place of its first frame [P]."""
        return np.unique(self.part, return_index=True)[1]


def judge_frames(
    engine: Engine, product: Product, paths: list[Path], bit_depth: int | None, text: str
) -> Judged:
    """Raises ImageError for a frame that does not fit or has no finite score, with its path."""
    read: list[Path] = []
    fitted: list[NDArray[np.uint8]] = []
    for path, image in read_images(*paths, bit_depth=bit_depth):
        try:
            fitted.append(product.fit(image)[0])
        except ValueError as error:
            raise ImageError(f"{path}: {error}") from error
        read.append(path)
    found = [engine.infer(frame[None]) for frame in track(fitted, text)]
    scores = np.array([float(one.score[0]) for one in found])
    for path, score in zip(read, scores, strict=True):
        if not np.isfinite(score):
            raise ImageError(f"{path} has no finite score: build the engine again, or train again")
    heatmaps = np.stack([one.heatmap[0] for one in found])
    conditions = [measure(frame) for frame in fitted]
    return Judged(read, np.stack(fitted), scores, heatmaps, conditions, distinct(fitted))
