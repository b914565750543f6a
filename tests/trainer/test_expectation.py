"""What a training expects of its product."""

import numpy as np
from torch import Tensor

from trainer.network.network import Network
from trainer.network.spec import NetworkSpec
from trainer.simulation.simulate import mixed
from trainer.simulation.textures import procedural
from trainer.training.expectation import Expectation, expect


class Differs(Network):
    """Finds what differs from mid-gray by more than `limit`."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.spec, self.limit = NetworkSpec("pixels", 1, 1, 1), limit

    def heatmap(self, image: Tensor) -> Tensor:
        return ((image - 0.5).abs().amax(dim=1) - self.limit).clamp(min=0)

    def losses(self, good: Tensor, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {}


def expected(limit: float) -> Expectation:
    rng = np.random.default_rng(0)
    good = rng.integers(125, 131, (30, 64, 64, 3), dtype=np.uint8)
    return expect(Differs(limit), good, mixed(procedural, gray=False), 0)


def test_all_none_and_the_strong_ones_are_found() -> None:
    assert expected(0.01).found > 0.95
    assert expected(1.0).found == 0
    strong = expected(0.2)
    assert strong.faint is not None
    assert strong.faint < 0.2 < strong.found < 1


def test_the_line_says_what_it_rests_on() -> None:
    assert str(Expectation(good=63, found=0.964, small=0.9, faint=None)) == (
        "expected: 96% of simulated anomalies found (small 90%) where none of the 63 good parts "
        "set aside for calibration are rejected; more good parts make this surer"
    )
    assert str(Expectation(good=140, found=0.5, small=None, faint=None)) == (
        "expected: 50% of simulated anomalies found where 1 % of the 140 good parts set aside for "
        "calibration are rejected"
    )


def test_a_threshold_rests_on_the_good_parts() -> None:
    """One noisy good part in thirty lifts it over everything weaker."""
    good = np.full((30, 64, 64, 3), 128, np.uint8)
    good[7, 5, 5] = 255
    noisy = expect(Differs(0.0), good, mixed(procedural, gray=False), 0)
    assert noisy.found < 0.3
    assert noisy.good == 30
