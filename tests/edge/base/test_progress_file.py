"""Progress of a command as JSON lines."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.base.console import track
from edge.base.progress_file import report_progress_to, tell_fact, tell_progress


@pytest.fixture(autouse=True)
def _nobody() -> Iterator[None]:
    yield
    report_progress_to(None)


def test_progress_has_the_first_and_the_last_of_a_stage_and_each_fact(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    report_progress_to(file)
    for _ in track(range(500), "judging"):
        pass
    tell_fact("validation", step=7)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    counted = [line["done"] for line in lines if line["stage"] == "judging"]
    assert (counted[0], counted[-1]) == (1, 500)
    assert len(counted) < 50, "two lines a second"
    assert (lines[-1]["stage"], lines[-1]["step"]) == ("validation", 7)


def test_progress_that_cannot_be_written_stops_no_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report_progress_to(tmp_path)  # a folder
    tell_progress("training", 1, 2)
    tell_progress("training", 2, 2)
    assert caplog.text.count("no progress any more") == 1
