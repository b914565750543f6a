"""Verdicts of a simulated line compared with its truth."""

import json
from dataclasses import dataclass
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


def read_events(path: Path) -> list[Inspection]:
    """The inspections among the headers that `draem watch --json` wrote."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return [Inspection.model_validate(row) for row in rows if row["kind"] == "inspection"]


def read_truth(path: Path) -> dict[int, str | None]:
    """The kind of defect of each frame id, None for a good part, as the line wrote it."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    return {row["frame_id"]: row["defect"] for row in rows}


def summarise(events: list[Inspection], truth: dict[int, str | None], seed: int) -> Summary:
    """Every part of the truth counts; one without an event counts as NO_VERDICT.

    So it is rejected, as at a gate that opens for an OK only.
    """
    received = {event.frame_id: event.verdict for event in events}
    verdicts = {part: received.get(part, "NO_VERDICT") for part in truth}
    good = [verdicts[part] for part, defect in truth.items() if not defect]
    bad = [verdicts[part] for part, defect in truth.items() if defect]
    by_defect: dict[str, list[str]] = {}
    for part, defect in sorted(truth.items(), key=lambda item: item[1] or ""):
        if defect:
            by_defect.setdefault(defect, []).append(verdicts[part])
    stages: dict[str, list[float]] = {}
    for event in events:
        for stage, ms in event.stages_ms.items():
            stages.setdefault(stage, []).append(ms)
    return Summary(
        parts=len(truth),
        good=len(good),
        defective=len(bad),
        found=bad.count("NG"),
        missed=bad.count("OK"),
        rejected=len(good) - good.count("OK"),
        no_verdict=(good + bad).count("NO_VERDICT"),
        seed=seed,
        by_defect={kind: (of.count("NG"), len(of)) for kind, of in by_defect.items()},
        stages_ms={
            stage: (float(np.percentile(ms, 50)), float(np.percentile(ms, 99)))
            for stage, ms in stages.items()
        },
    )
