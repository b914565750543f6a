"""The share of a compilation that is reported, from nested phases."""

import pytest

from deploy.engine.tensorrt_progress import Progress


def test_progress_goes_from_nothing_to_all_and_never_back() -> None:
    told: list[float] = []
    progress = Progress(lambda share, phase: told.append(share))
    progress.start("building", 2)
    progress.start("timing", 4)
    assert progress.step("timing", 0)
    assert told[-1] == pytest.approx(1 / 8)
    progress.finish("timing")
    progress.step("building", 0)
    progress.step("building", 1)
    progress.finish("building")
    assert told == sorted(told)
    assert told[-1] == 1.0
    progress.cancelled.set()
    assert not progress.step("building", 0)
