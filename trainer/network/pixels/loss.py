"""DRAEM's losses: L2 and SSIM for the reconstruction, focal for the segmentation, weight 1 each."""

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from trainer.network.focal import focal

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def _band(size: int, device: torch.device) -> Tensor:
    """The Gaussian window as a matrix [size, size - 10]: a product with it blurs one axis.

    On a CPU this is several times as fast as a convolution of single-channel planes.
    """
    offsets = torch.arange(WINDOW, dtype=torch.float32, device=device) - WINDOW // 2
    kernel = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    columns = torch.arange(size - WINDOW + 1, device=device)
    rows = columns[None, :] + torch.arange(WINDOW, device=device)[:, None]
    band = torch.zeros(size, size - WINDOW + 1, device=device)
    return band.scatter(0, rows, kernel[:, None].expand_as(rows))


def _blur(images: Tensor) -> Tensor:
    """Gaussian window over images [..., H, W], without padding, one axis after the other."""
    height, width = images.shape[-2:]
    return _band(height, images.device).T @ (images @ _band(width, images.device))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity of images [N, C, H, W] in 0..1 (Wang et al. 2004, window 11)."""
    return ssim_map(a, b).mean()


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity at each place where the window fits [N, C, H - 10, W - 10].

    Always in float32: in half precision the differences of squares lose all their digits.
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b = a.float().contiguous(), b.float().contiguous()
        mean_a, mean_b = _blur(a), _blur(b)
        var_a = _blur(a * a) - mean_a**2
        var_b = _blur(b * b) - mean_b**2
        cov = _blur(a * b) - mean_a * mean_b
        luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
        structure = (2 * cov + C2) / (var_a + var_b + C2)
        return luminance * structure


def draem_loss(
    reconstruction: Tensor, image: Tensor, logits: Tensor, mask: Tensor
) -> dict[str, Tensor]:
    """The reconstruction compared with the good image, the segmentation with the mask."""
    return {
        "l2": mse_loss(reconstruction.float(), image.float()),
        "ssim": 1 - ssim(reconstruction, image),
        "focal": focal(logits, mask),
    }
