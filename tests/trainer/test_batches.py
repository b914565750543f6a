"""Batches and validation sets: repeatable, without repetitions, as the settings ask."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.training import ALONE, CPU, small_settings
from trainer.data.sources import Images
from trainer.simulation.augmentation import Augmentation
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.training.batches import Batches, epoch_order, make_batches, make_simulation, to_pool
from trainer.training.validate import Point, best_of, validation_set


def batches(good: NDArray[np.uint8], **values: object) -> Batches:
    simulation = Simulation(procedural)
    return Batches(to_pool(good, CPU), simulation, 4, 7, **values)  # type: ignore[arg-type]


def test_a_batch_depends_on_its_step_only(good_frames: NDArray[np.uint8]) -> None:
    """Not on the order in which batches are made: so a resumed training continues exactly."""
    varied = Augmentation(20.0, mirror=True, light=0.2)
    one, other = (batches(good_frames, augmentation=varied) for _ in range(2))
    forwards = [one(step) for step in range(8)]
    backwards = [other(step) for step in reversed(range(8))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert torch.equal(a.good, b.good)
        assert torch.equal(a.simulated.images, b.simulated.images)
        assert torch.equal(a.simulated.mask, b.simulated.mask)


def test_no_two_steps_or_processes_draw_the_same_anomalies(good_frames: NDArray[np.uint8]) -> None:
    made = [
        batches(good_frames, rank=rank, processes=2, stream=stream)(step)
        for rank in range(2)
        for step in range(12)
        for stream in ("training", "statistics")
    ]
    masks = [tuple(m.nonzero().flatten().tolist()) for b in made for m in b.simulated.mask]
    drawn = [mask for mask in masks if mask]
    assert len(drawn) > 50
    assert len(set(drawn)) == len(drawn)


def test_every_epoch_has_each_image_once_in_its_own_order(good_frames: NDArray[np.uint8]) -> None:
    """24 images, two processes of 4: an epoch is three steps."""
    epochs = []
    for epoch in range(2):
        steps = range(3 * epoch, 3 * epoch + 3)
        chosen = [
            batches(good_frames, rank=rank, processes=2).chosen(step)
            for step in steps
            for rank in range(2)
        ]
        epochs.append(torch.cat(chosen).tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(24))
    assert epochs[0] != epochs[1]
    assert epoch_order(24, 7, "training", 0).tolist() == epochs[0]


def test_gray_images_get_gray_anomalies(good_frames: NDArray[np.uint8]) -> None:
    """Otherwise colour alone would be the defect."""
    gray = np.repeat(good_frames[..., :1], 3, axis=3)
    for pool, coloured in ((gray, False), (good_frames, True)):
        images = Images(pool, pool[:4])
        simulation = make_simulation(small_settings(), images, CPU)
        made = make_batches(small_settings(batch=16), pool, simulation, ALONE)
        changed = made(0).simulated.images
        assert bool((changed[:, :1] != changed).any()) is coloured


def test_the_validation_set_repeats_few_images_with_other_anomalies(
    good_frames: NDArray[np.uint8],
) -> None:
    simulation = Simulation(procedural)
    first, again = (validation_set(to_pool(good_frames, CPU), simulation, 3) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert len(first.images) == 64
    anomalous = first.mask.flatten(1).amax(1) > 0
    assert 20 <= anomalous.sum() <= 32


def test_the_validation_set_has_each_image_with_an_anomaly_and_without() -> None:
    """Between different images the AUROC would depend on how good parts differ."""
    shades = np.arange(200, dtype=np.uint8)[:, None, None, None]
    images = to_pool(np.tile(shades, (1, 32, 32, 3)), CPU)
    held_out = validation_set(images, Simulation(procedural), 0)
    made, good = held_out.images.chunk(2)
    assert len(good) == 64
    assert good.mean() * 255 == pytest.approx(99.5, abs=3), "from all of them, evenly"
    kept = (made == good).all(dim=1) | (held_out.mask[:64] > 0)
    assert kept.float().mean() > 0.98, "the pair's images differ in the anomaly only"
    assert held_out.mask[64:].max() == 0


def test_the_best_weights_have_the_highest_pixel_ap_and_of_equals_the_latest() -> None:
    points = [Point(1, 0.9, 0.5), Point(2, 0.8, 0.7), Point(3, 0.7, 0.7), Point(4, 1, 0.6)]
    assert best_of(points) is points[2]
