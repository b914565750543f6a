"""A run of the simulated line held against its truth."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge.events.event import Inspection


@dataclass(frozen=True)
class Summary:
    """`found` are defective parts with NG, `missed` those with OK; `rejected` are good parts that
    were not OK. `no_verdict` counts parts of both kinds. Stages are p50 and p99 in milliseconds.
    """

    parts: int
    good: int
    defective: int
    found: int
    missed: int
    rejected: int
    no_verdict: int
    seed: int
    by_defect: dict[str, tuple[int, int]]
    stages_ms: dict[str, tuple[float, float]]

    @property
    def found_share(self) -> float:
        return self.found / self.defective if self.defective else float("nan")

    @property
    def rejected_share(self) -> float:
        return self.rejected / self.good if self.good else float("nan")

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def read_events(path: Path) -> list[Inspection]:
    """The inspections among the headers that `draem watch --json` wrote."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return [Inspection.model_validate(row) for row in rows if row["kind"] == "inspection"]


def read_truth(path: Path) -> dict[int, str | None]:
    """Frame id to kind of defect, None for a good part, as the line wrote it."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return {row["frame_id"]: row["defect"] for row in rows}


def summarise(events: list[Inspection], truth: dict[int, str | None], seed: int) -> Summary:
    """Every part of the truth counts: one without an event is a good part rejected or none found.

    That is what happens at a gate that opens for an OK alone.
    """
    verdicts = {event.frame_id: event.verdict for event in events}
    judged = {part: verdicts.get(part, "NO_VERDICT") for part in truth}
    defective = {part: kind for part, kind in truth.items() if kind}
    kinds = sorted(set(defective.values()))
    by_defect = {
        kind: [judged[p] == "NG" for p, k in defective.items() if k == kind] for kind in kinds
    }
    stages: dict[str, list[float]] = {}
    for event in events:
        for stage, ms in event.stages_ms.items():
            stages.setdefault(stage, []).append(ms)
    return Summary(
        parts=len(truth),
        good=len(truth) - len(defective),
        defective=len(defective),
        found=sum(judged[part] == "NG" for part in defective),
        missed=sum(judged[part] == "OK" for part in defective),
        rejected=sum(judged[part] != "OK" for part in truth if part not in defective),
        no_verdict=sum(verdict == "NO_VERDICT" for verdict in judged.values()),
        seed=seed,
        by_defect={kind: (sum(hits), len(hits)) for kind, hits in by_defect.items()},
        stages_ms={
            stage: (float(np.percentile(ms, 50)), float(np.percentile(ms, 99)))
            for stage, ms in stages.items()
        },
    )
