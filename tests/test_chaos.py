"""A short storm; `./just chaos` is the long one."""

from pathlib import Path

from tests.measure.chaos import storm


def test_chaos_loses_and_repeats_nothing(tmp_path: Path) -> None:
    counts = storm(tmp_path, blows=8, triggers=800, rate=100, seed=27, least_judged=0.0)
    assert sum(counts.values()) == 8
    assert {"inspector killed", "bridge killed", "network cut"} <= set(counts)
