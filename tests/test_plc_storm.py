"""A short storm over the reject gate; `./just plc` is the long one."""

from pathlib import Path

from tests.measure.plc_storm import storm


def test_plc_storm_lets_no_ng_part_pass(tmp_path: Path) -> None:
    found = storm(tmp_path, blows=4, parts=400, seed=3)
    assert found["passed"] > 0.5 * found["parts"]
    assert found["good rejected without a verdict in time"] > 0, "no blow was felt"
