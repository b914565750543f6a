"""What a running command has said: its progress, its validations, the end of its output."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.web.jobs.job import OUTPUT, PROGRESS, Job

TAIL_BYTES = 6000
MOST_POINTS = 500


@dataclass
class Progress:
    """The newest line of progress, and the points of a training's validation curve."""

    stage: str = ""
    done: float = 0
    total: float = 0
    left_s: float | None = None
    refused: dict[str, int] = field(default_factory=dict)
    expected: str = ""
    points: list[tuple[int, float, float]] = field(default_factory=list)  # step, AUROC, pixel AP

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class ProgressReader:
    """Reads a job's progress file, at each call what was added since."""

    def __init__(self, folder: Path) -> None:
        self._path, self._at, self._rest = folder / PROGRESS, 0, b""
        self.progress = Progress()

    def read(self) -> Progress:
        """The progress now."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError:
            return self.progress
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # a line that was cut on a full disk
        return self.progress

    def _take(self, line: dict[str, Any]) -> None:
        now = self.progress
        if line["stage"] == "validation":
            now.points.append((line["step"], line["image_auroc"], line["pixel_ap"]))
            del now.points[:-MOST_POINTS]
        elif line["stage"] == "expected":
            now.expected = str(line["text"])
        else:
            now.stage, now.done, now.total = str(line["stage"]), line["done"], line["total"]
            now.left_s, now.refused = line.get("left_s"), line.get("refused", {})


def output_tail(job: Job, size: int = TAIL_BYTES) -> list[str]:
    """The last lines that the command has printed."""
    try:
        with (job.folder / OUTPUT).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            data = file.read()
    except OSError:
        return []
    text = data.decode("utf-8", "replace").replace("\r", "\n")
    lines = ["".join(c for c in line if c.isprintable()).rstrip() for line in text.split("\n")]
    return [line for line in lines if line]


def error_line(job: Job) -> str:
    """The command's error, if it has printed one."""
    errors = [line for line in output_tail(job) if line.startswith("draem: ")]
    return errors[-1].removeprefix("draem: ") if errors else ""
