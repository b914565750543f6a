"""Losses held to scikit-image and to their formula; and to what they are for."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import nn

from trainer.network.focal import focal
from trainer.network.pixels.loss import ssim


def test_ssim_is_scikit_images() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(2, 3, 48, 64, generator=generator)
    b = (a + 0.2 * torch.randn(a.shape, generator=generator)).clamp(0, 1)
    expected = [
        structural_similarity(  # type: ignore[no-untyped-call]
            x.numpy(),
            y.numpy(),
            win_size=11,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=0,
        )
        for x, y in zip(a, b, strict=True)
    ]
    assert ssim(a, b).item() == pytest.approx(np.mean(expected), abs=1e-5)
    assert ssim(a, a).item() == pytest.approx(1)


def test_ssim_is_float32_under_autocast() -> None:
    flat = torch.full((1, 3, 32, 32), 0.7, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = ssim(flat, flat)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(1)


def test_focal_is_its_formula() -> None:
    logits = torch.tensor([[[[0.3]], [[1.2]]]])
    p = torch.softmax(logits, 1)[0, 1, 0, 0].item()
    for truth, right in ((1.0, p), (0.0, 1 - p)):
        expected = -((1 - right) ** 2) * np.log(right)
        assert focal(logits, torch.full((1, 1, 1), truth)).item() == pytest.approx(
            expected, rel=1e-4
        )


@pytest.mark.parametrize("doubt", [0.0, 5.0, 20.0, 80.0])
def test_focal_pulls_both_classes(doubt: float) -> None:
    """Undecided pixels, and those that are wrong beyond all doubt."""
    for truth in (0.0, 1.0):
        logits = torch.zeros(1, 2, 4, 4)
        logits[:, 1 - int(truth)] = doubt
        logits.requires_grad_()
        focal(logits, torch.full((1, 4, 4), truth)).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        assert logits.grad.abs().min() > 0


def test_a_separable_task_is_learned() -> None:
    """Bright pixels are anomalous: a loss that forgets a class cannot get this right."""
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(300):
        mask = (torch.rand(4, 16, 16, generator=generator) < 0.1).float()
        logits = net(mask[:, None] * 0.5 + 0.25)
        loss = focal(logits, mask)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    right = (logits.argmax(1) == mask).float()
    assert right[mask == 1].mean() > 0.99
    assert right[mask == 0].mean() > 0.99
