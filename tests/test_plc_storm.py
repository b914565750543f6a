"""A short storm over the reject gate; `./just plc` is the long one."""

from pathlib import Path

import pytest

from tests.measure.plc_storm import storm


@pytest.mark.parametrize(("wire", "parts"), [("modbus", 400), ("ethernet-ip", 1600)])
def test_plc_storm_lets_no_ng_part_pass(wire: str, parts: int, tmp_path: Path) -> None:
    """A bridge that is a client needs seconds to find its PLC again, so there are more parts."""
    found = storm(tmp_path, blows=4, parts=parts, seed=3, wire=wire)
    assert found["passed"] > (0.5 if wire == "modbus" else 0.3) * found["parts"]
    assert found["good rejected without a verdict in time"] > 0, "no blow was felt"
