"""What another threshold would have done to the parts that people have labelled.

A part is NG if and only if its score is at or above its threshold; the archive has both, so no
network is asked. With regions of interest each part has the threshold of its own region: all are
changed by the same factor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.archive.archive import Archive
from edge.archive.query import Label, Query
from edge.archive.search import Found

DEFECTIVE: tuple[Label, ...] = ("defect", "missed")
GOOD: tuple[Label, ...] = ("false-reject", "good")
LOWEST, HIGHEST, POINTS = 0.25, 3.0, 111
STEPS = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0)


@dataclass(frozen=True)
class Judged:
    """A labelled part: its score as a part of its threshold, and what it really is."""

    ratio: float
    is_defective: bool


@dataclass(frozen=True)
class Outcome:
    """What a threshold of `factor` times the present one does: good parts NG, defective ones OK."""

    factor: float
    false_rejects: int
    escapes: int


@dataclass(frozen=True)
class Labelled:
    """The labelled parts of a version, and its threshold; None where there are several."""

    parts: Sequence[Judged]
    threshold: float | None

    @property
    def good(self) -> int:
        """Parts that are good."""
        return sum(not part.is_defective for part in self.parts)

    @property
    def defective(self) -> int:
        """Parts that are not."""
        return len(self.parts) - self.good

    def outcome(self, factor: float) -> Outcome:
        """What a threshold of `factor` times the present one does."""
        rejected = [part.is_defective for part in self.parts if part.ratio >= factor]
        return Outcome(factor, rejected.count(False), self.defective - rejected.count(True))

    def curve(self) -> list[Outcome]:
        """Outcomes over the thresholds from LOWEST to HIGHEST times the present one."""
        width = (HIGHEST - LOWEST) / (POINTS - 1)
        return [self.outcome(round(LOWEST + n * width, 4)) for n in range(POINTS)]


def read_labelled(archive: Archive, query: Query) -> Labelled:
    """The labelled parts that a query means. Raises ArchiveError."""
    found = [
        part
        for label in (*DEFECTIVE, *GOOD)
        for part in archive.find_all(query.model_copy(update={"label": label}))
    ]
    return labelled(found)


def labelled(found: Iterable[Found]) -> Labelled:
    """Those that have a score."""
    parts, thresholds = [], set()
    for part in found:
        if part.score is not None and part.threshold:
            parts.append(Judged(part.score / part.threshold, part.label in DEFECTIVE))
            thresholds.add(part.threshold)
    return Labelled(parts, thresholds.pop() if len(thresholds) == 1 else None)
