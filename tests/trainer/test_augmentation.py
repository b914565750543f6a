"""How good images are varied: about half of them each way, the others as they were."""

import torch
from torch import Tensor

from trainer.simulation.augmentation import Augmentation


def varied(augmentation: Augmentation) -> tuple[Tensor, Tensor]:
    """Forty images of a gradient that is no mirror of itself, before and after."""
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    images = ((rows * 8 + columns) / 128 + 0.1).expand(40, 3, 8, 8)
    return images, augmentation(images.clone(), torch.Generator().manual_seed(0))


def like(images: Tensor, others: Tensor) -> int:
    return sum(torch.equal(a, b) for a, b in zip(images, others, strict=True))


def test_nothing_varies_unless_it_is_asked_for() -> None:
    before, after = varied(Augmentation())
    assert torch.equal(before, after)


def test_mirroring_makes_all_four_of_an_image() -> None:
    before, after = varied(Augmentation(mirror=True))
    counts = [like(before.flip(axes) if axes else before, after) for axes in ([], [2], [3], [2, 3])]
    assert sum(counts) == 40
    assert min(counts) >= 3


def test_light_is_of_the_whole_image_and_within_its_share() -> None:
    before, after = varied(Augmentation(light=0.2))
    gains = after / before
    assert torch.allclose(gains, gains[:, :1, :1, :1].expand_as(gains), atol=1e-5)
    assert 10 < like(before, after) < 30
    lightest, darkest = gains.max().item(), gains.min().item()
    assert 1.1 < lightest < 1.2001
    assert 0.7999 < darkest < 0.9


def test_rotation_turns_about_half_by_up_to_its_degrees() -> None:
    before, little = varied(Augmentation(rotation=1))
    _, far = varied(Augmentation(rotation=90))
    assert 10 < like(before, little) < 30
    assert (little - before).abs().max() < 0.02, "a gradient of 0.07 a pixel, eight pixels wide"
    assert (far - before).abs().max() > 0.2
