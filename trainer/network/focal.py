"""The focal loss, which both networks' segmentation is trained with."""

import torch
from torch import Tensor


def focal(logits: Tensor, mask: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss (Lin et al. 2017) of logits [N, 2, H, W] against mask [N, H, W].

    Both classes have the same weight, without alpha: with a class weight of 0, as in some other
    implementations, a network learns to call every pixel anomalous. Computed from the logarithm of
    the softmax, so that a pixel that is certainly wrong still has a gradient.
    """
    log_good, log_anomalous = torch.log_softmax(logits.float(), dim=1).unbind(dim=1)
    log_right = torch.where(mask > 0.5, log_anomalous, log_good)
    return (-((1 - log_right.exp()) ** gamma) * log_right).mean()
