"""A short storm; `./just chaos` is the long one."""

from pathlib import Path

from tests.measure.chaos import storm


def test_chaos_loses_and_repeats_nothing(tmp_path: Path) -> None:
    counts = storm(tmp_path, blows=25, triggers=3000, rate=100, seed=1)
    assert sum(counts.values()) == 25
    assert any(blow == "inspector killed" for blow in counts)
    assert any(blow.startswith("network") for blow in counts)
