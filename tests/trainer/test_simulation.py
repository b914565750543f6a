"""Simulated anomalies: repeatable, of any size, as opaque as asked, with correct masks."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Generator

from edge.base.errors import ImageError
from trainer.simulation.image_changes import blurred, displaced, shaded, warped
from trainer.simulation.masks import lines, perlin_masks, soft_perlin_masks, spots
from trainer.simulation.perlin import perlin
from trainer.simulation.simulate import Simulation, draw, mixed
from trainer.simulation.textures import PATTERNS, pictures, procedural, rotated_grid


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def test_another_seed_gives_another_batch() -> None:
    good = torch.rand(4, 3, 64, 96)
    a, b, c = (Simulation(procedural)(good, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.mask, b.mask)
    assert not torch.equal(a.images, c.images)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (250, 33)])
def test_perlin_noise_of_any_size_is_smooth_and_centred(height: int, width: int) -> None:
    noise = perlin(64, height, width, seeded(3))
    assert noise.shape == (64, height, width)
    assert noise.abs().max() < 1.5
    assert noise.mean().abs() < 0.05
    assert noise.std() > 0.2


def test_perlin_masks_cover_as_much_as_the_authors() -> None:
    """Theirs is 4.9 % in the mean, 5.6 % of the masks empty; a random threshold spreads both."""
    masks = perlin_masks(1000, 64, 64, seeded(4))
    assert ((masks == 0) | (masks == 1)).all()
    assert 0.03 < masks.mean() < 0.12
    assert (masks.amax(dim=(1, 2)) == 0).float().mean() < 0.25


def test_only_the_mask_changes_and_half_stay_good() -> None:
    good = torch.full((400, 3, 32, 32), 0.5)
    made = Simulation(procedural)(good, seeded(5))
    changed = (made.images != good).any(dim=1)
    assert not (changed & (made.mask == 0)).any()
    assert changed[made.mask == 1].float().mean() > 0.95
    empty = (made.mask.amax(dim=(1, 2)) == 0).float().mean()
    assert 0.45 < empty < 0.7


def test_the_opacity_is_random_from_a_tenth_on() -> None:
    black = torch.zeros(500, 3, 32, 32)
    white = Simulation(lambda n, h, w, g: torch.full((n, 3, h, w), 1e9), good_share=0)(
        black, seeded(6)
    )
    opacity = white.images.amax(dim=(1, 2, 3))
    opacity = opacity[opacity > 0]  # some textures are inverted, to black
    assert opacity.min() == pytest.approx(0.1, abs=0.02)
    assert opacity.max() == pytest.approx(1.0, abs=0.02)
    assert opacity.mean() == pytest.approx(0.55, abs=0.06)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_is_in_range(pattern) -> None:  # type: ignore[no-untyped-def]
    v, u = rotated_grid(8, 40, 56, seeded(7))
    made = pattern(v, u, seeded(8))
    assert made.shape == (8, 40, 56)
    assert made.min() >= 0
    assert made.max() <= 1


def test_pictures_serve_as_textures(tmp_path: Path) -> None:
    red = np.zeros((50, 70, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.png"), red)
    made = pictures(tmp_path, torch.device("cpu"))(3, 32, 64, seeded(8))
    assert made.shape == (3, 3, 32, 64)
    assert (made[:, 2] == 1).all()
    assert (made[:, 0] == 0).all()
    with pytest.raises(ImageError):
        pictures(tmp_path / "none", torch.device("cpu"))


@pytest.mark.parametrize("mask", [perlin_masks, soft_perlin_masks, spots, lines])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
def test_every_mask_is_a_part_of_the_image(mask, height, width) -> None:  # type: ignore[no-untyped-def]
    made = mask(200, height, width, seeded(9))
    assert made.shape == (200, height, width)
    assert made.min() == 0
    assert made.max() == 1
    covered = (made > 0.3).float().mean(dim=(1, 2))
    assert covered.mean() < 0.2
    assert (covered > 0).float().mean() > 0.7
    assert torch.equal(made, mask(200, height, width, seeded(9)))


def test_lines_are_thin_and_spots_are_one_piece() -> None:
    from skimage.measure import label

    pieces = [
        int(label(one.numpy() > 0.3).max())  # type: ignore[no-untyped-call]
        for one in spots(60, 64, 64, seeded(1))
    ]
    assert np.mean([count <= 1 for count in pieces]) > 0.7
    thin = (lines(100, 128, 128, seeded(2)) > 0.3).float().mean(dim=(1, 2))
    assert 0 < thin.mean() < 0.02


def picture(count: int) -> torch.Tensor:
    """Lids, so that a change of the image is one."""
    from edge.camera.simulated.renderer import PartRenderer

    line = PartRenderer("moulded", 0)
    parts = [cv2.resize(line.part(i).image, (96, 64)) for i in range(count)]
    return torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2) / 255


@pytest.mark.parametrize("change", [displaced, shaded, warped, blurred])
def test_every_change_makes_another_picture_of_the_same_image(change) -> None:  # type: ignore[no-untyped-def]
    good = picture(6)
    made = change(good, seeded(3))
    assert made.shape == good.shape
    assert made.min() >= 0
    assert made.max() <= 1
    assert (made - good).abs().mean(dim=(1, 2, 3)).min() > 0.002
    assert torch.equal(made, change(good, seeded(3)))
    gray = good.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    changed = change(gray, seeded(4))
    assert (changed.amax(dim=1) - changed.amin(dim=1)).max() < 1e-5, "gray stays gray"


def test_the_mixed_simulation_marks_what_has_visibly_changed() -> None:
    good = picture(8)
    for step in range(20):
        made = mixed(procedural, gray=False, good_share=0)(good, seeded(step))
        difference = (made.images - good).abs().amax(dim=1)
        near = torch.nn.functional.max_pool2d(difference[:, None], 7, 1, 3)[:, 0]
        assert ((made.mask == 0) | (made.mask == 1)).all()
        assert near[made.mask == 1].min() > 0.03
        assert difference[made.mask == 0].mean() < 0.02
    gray = good.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    made = mixed(procedural, gray=True, good_share=0)(gray, seeded(1))
    assert (made.images.amax(dim=1) - made.images.amin(dim=1)).max() < 1e-5


def test_kinds_come_by_their_weights() -> None:
    counts = dict.fromkeys("abc", 0)
    for key, rows in draw({"a": 0.5, "b": 0.3, "c": 0.2}, 10_000, seeded(5)):
        counts[key] = len(rows)
    assert sum(counts.values()) == 10_000
    assert [round(n / 10_000, 1) for n in counts.values()] == [0.5, 0.3, 0.2]
