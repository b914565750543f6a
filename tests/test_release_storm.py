"""A short storm over a station's releases; `./just release-storm` is the long one."""

import shutil
from pathlib import Path

from edge.product.versions import set_current
from tests.conftest import Plant
from tests.measure.release_storm import storm


def test_a_release_killed_at_random_leaves_a_station_that_judges(
    plant: Plant, tmp_path: Path
) -> None:
    version = shutil.copytree(plant.product.path, tmp_path / "trained" / "lid" / "1")
    set_current(version)
    found = storm(tmp_path / "trained", tmp_path / "storm", strikes=6)
    assert sum(sum(met.values()) for met in found.values()) == 6
