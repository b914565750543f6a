"""The memory of good parts: its choice, its distances, its part in heatmap and export."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from edge.engine.verify import FULL, compare
from tests.support.training import CPU, adapt_statistics, run_onnx
from trainer.network.features.backbone import find_weights
from trainer.network.features.memory import (
    AT_ONCE,
    FROM_EACH,
    USUAL,
    Maps,
    Memory,
    best_weight,
    drawn,
    smoothed,
    spread,
    usual,
)
from trainer.network.features.model import FeatureDraem
from trainer.network.make import make_network
from trainer.network.onnx_export import build_onnx
from trainer.network.spec import NetworkSpec
from trainer.training.batches import to_tensor
from trainer.training.golden import infer, untrained


@pytest.fixture(scope="module")
def network(good_frames: NDArray[np.uint8]) -> FeatureDraem:
    """Untrained networks that remember half of the lids and are balanced on the others."""
    torch.manual_seed(0)
    spec = NetworkSpec("features", 8, 8, 13, "lite0", 64)
    made = make_network(spec, encoder_weights=find_weights("lite0"))
    assert isinstance(made, FeatureDraem)
    nn.init.normal_(made.discriminative.out.weight, 0, 0.3)
    adapt_statistics(made, good_frames)
    images = to_tensor(good_frames, CPU)
    anomalous = images[1::2].clone()
    anomalous[:, :, 20:44, 20:44] = torch.tensor([0.0, 0, 1])[:, None, None]
    made.remember([images[::2]], [images[1::2]], [anomalous], seed=0)
    return made


def test_a_rare_look_is_remembered_and_a_frequent_one_not_twice() -> None:
    frequent = torch.zeros(5000, 16) + 0.01 * torch.randn(5000, 16, generator=Generator())
    rare = torch.full((1, 16), 9.0)
    chosen = spread(torch.cat([frequent, rare]), 4, Generator())
    assert 5000 in chosen
    assert len(set(chosen.tolist())) == 4


def test_the_distance_is_that_to_the_nearest_remembered_feature() -> None:
    memory = Memory(8, 16)
    good = torch.randn(4, 16, 5, 5, generator=Generator().manual_seed(1))
    memory.fill([good], seed=0)
    other = torch.randn(2, 16, 5, 5, generator=Generator().manual_seed(2))
    features = smoothed(other).permute(0, 2, 3, 1).reshape(-1, 16)
    expected = torch.cdist(features, memory.get_buffer("patterns")).amin(dim=1)
    assert torch.allclose(memory(other).flatten(), expected, atol=1e-3)
    same = memory(good)
    assert same.min() < 0.05, "a remembered feature is its own nearest"


def test_highest_margins_of_good_parts_are_usual(
    network: FeatureDraem, good_frames: NDArray[np.uint8]
) -> None:
    assert network.memory is not None
    features = network.features(to_tensor(good_frames[1::2], CPU))
    mixed = network.memory.mixed(network.margin(features), features[-1]).detach()
    highest = float(smoothed(mixed).amax(dim=(1, 2, 3)).mean())
    assert USUAL - 3 < highest <= USUAL + 0.01, "both are not highest at the same place"


def maps(margins: list[float], distances: list[float]) -> Maps:
    """One picture for each value, which it has everywhere."""
    size = (-1, 1, 1, 1)
    return Maps(*(torch.tensor(v).reshape(size).expand(-1, 1, 4, 4) for v in (margins, distances)))


@pytest.mark.parametrize(
    ("margins", "distances", "expected"),
    [
        ([2.0, 2.0], [-9.0, -9.0], 0.0),  # the memory hides what the networks see
        ([2.0, 2.0], [30.0, 30.0], 0.0),  # both see everything: the networks alone do
        ([0.5, 0.5], [30.0, 30.0], 0.25),  # the networks see nothing, both together do
        ([-1.0, 0.0], [30.0, 30.0], 0.5),  # what little the networks see is too little even so
    ],
)
def test_the_memory_counts_only_where_more_is_found(
    margins: list[float], distances: list[float], expected: float
) -> None:
    good = maps([-0.9, 0.9], [-9.0, 9.0])
    assert best_weight(good, maps(margins, distances), 1, 9) == expected


def test_a_memory_without_weight_changes_nothing() -> None:
    memory = Memory(8, 16)
    memory.fill([torch.randn(4, 16, 5, 5, generator=Generator())], seed=0)
    memory.balance(maps([-0.9, 0.9], [-9.0, 9.0]), maps([1.2, 1.2], [-9.0, -9.0]))
    assert not memory.filled


def test_one_part_alone_has_a_deviation() -> None:
    """Its highest values have none; division by it would make everything an anomaly."""
    mean, deviation = usual(torch.linspace(0, 10, 400).reshape(1, 1, 20, 20))
    assert deviation == pytest.approx(0.05 * (mean - 5), rel=0.01)
    assert usual(torch.ones(2, 1, 4, 4))[1] > 0


def test_what_no_good_part_has_is_anomalous(
    network: FeatureDraem, good_frames: NDArray[np.uint8]
) -> None:
    assert network.memory is not None
    changed = good_frames.copy()
    changed[:, 20:44, 20:44] = (0, 0, 255)
    good, bad = (
        network.memory(network.features(to_tensor(frames, CPU))[-1])
        for frames in (good_frames, changed)
    )
    assert bad[..., 1:3, 1:3].amin() > good.amax()


def test_a_memory_survives_the_export(
    network: FeatureDraem, good_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    network = copy.deepcopy(network)
    assert network.memory is not None
    # Random networks vary less between lids than float16 rounds: a mixture as after a training.
    network.memory.get_buffer("mixture").copy_(torch.tensor([0.5, 0.5, -3]))
    exported = run_onnx(build_onnx(network, 64, 64), good_frames, tmp_path)
    found = compare(*exported, *infer(network, good_frames))
    assert found.within(FULL), found
    negative = untrained(network, 1)
    assert isinstance(negative, FeatureDraem)
    assert negative.memory is not None
    assert not negative.memory.filled, "what it remembers would make it too much alike"
    assert not compare(*exported, *infer(negative, good_frames)).within(FULL)


def test_without_a_memory_the_networks_answer_alone(
    network: FeatureDraem, good_frames: NDArray[np.uint8]
) -> None:
    alone = make_network(NetworkSpec("features", 8, 8, 13, "lite0"))
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("memory.")}
    alone.load_state_dict(state)
    assert network.memory is not None
    forgetful = make_network(network.spec)
    forgetful.load_state_dict(network.state_dict())
    assert isinstance(forgetful, FeatureDraem)
    assert forgetful.memory is not None
    forgetful.memory.reset_parameters()
    kept, _ = infer(network, good_frames[:2])
    expected, _ = infer(alone.eval(), good_frames[:2])
    found, _ = infer(forgetful.eval(), good_frames[:2])
    assert np.allclose(found, expected, atol=1e-6)
    assert not np.allclose(kept, expected, atol=1e-3)


def numbered(count: int) -> list[Tensor]:
    """Pictures in batches of 8; each feature is its picture's number."""
    numbers = torch.arange(count, dtype=torch.float32)
    return [batch[:, None, None, None].expand(-1, 2, 12, 12) for batch in torch.split(numbers, 8)]


def test_features_of_many_pictures_are_few_of_each() -> None:
    most = AT_ONCE // FROM_EACH
    assert len(drawn(numbered(most), Generator())) == AT_ONCE
    many = drawn(numbered(3 * most), Generator())
    assert len(many) <= AT_ONCE
    counts = many[:, 0].int().bincount()
    assert counts.tolist() == [FROM_EACH // 4] * (3 * most)
    again = drawn(numbered(3 * most), Generator())
    assert torch.equal(again, many)
    assert many.untyped_storage().nbytes() == many.nbytes
