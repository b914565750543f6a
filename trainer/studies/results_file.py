"""The book of measured figures, docs/results.json: one object each, none of them twice."""

import fcntl
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import torch

from edge.base.files import write_json
from edge.commands.doctor import processor
from trainer.training.state import pick_precision

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs/results.json"
WORK = ROOT / "local/study"


def results() -> list[dict[str, object]]:
    """The figures so far."""
    if not RESULTS.is_file():
        return []
    rows: list[dict[str, object]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return rows


def append(figures: list[dict[str, object]]) -> None:
    """Figures of one run, all or none, in the place of older ones of the same run."""
    with (WORK / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        others = [row for row in results() if row["product"] != figures[0]["product"]]
        write_json(RESULTS, others + figures)
    for row in figures[:2]:
        print(f"{row['product']}: {row['figure']} {row['value']:.4f}", flush=True)


def machine() -> str:
    """What the figures were measured on."""
    precision = str(pick_precision("auto", torch.device("cpu"))).removeprefix("torch.")
    return (
        f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {precision}"
    )


def today() -> str:
    """The date in UTC."""
    return datetime.now(UTC).date().isoformat()
