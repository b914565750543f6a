"""DRAEM's two networks (arXiv 2108.07610): widths are settings, names are the authors'."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainer.network.network import Network, anomalous
from trainer.network.pixels.loss import draem_loss
from trainer.network.spec import NetworkSpec


def double_conv(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    """Two Conv3x3-BatchNorm-ReLU layers; indices 0, 1, 3 and 4 hold weights, as published."""
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 3, padding=1),
        nn.BatchNorm2d(middle),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def up_conv(inputs: int, outputs: int) -> nn.Sequential:
    """Bilinear x2 with aligned corners, then Conv3x3-BatchNorm-ReLU at indices 1 and 2."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Encoder(nn.Module):
    """Blocks block1, block2, ... with a 2x2 max-pool between them; returns every block's output."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.depth = len(channels) - 1
        for i in range(self.depth):
            block = double_conv(channels[i], channels[i + 1], channels[i + 1])
            self.add_module(f"block{i + 1}", block)

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        for i in range(1, self.depth + 1):
            x = self.get_submodule(f"block{i}")(x if i == 1 else nn.functional.max_pool2d(x, 2))
            outputs.append(x)
        return outputs


class ReconstructiveDecoder(nn.Module):
    """Four up-convolutions without skip connections: only the encoder's output comes through."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for i, (inputs, outputs) in enumerate([(8, 4), (4, 2), (2, 1), (1, 1)], start=1):
            self.add_module(f"up{i}", up_conv(inputs * width, inputs * width))
            self.add_module(f"db{i}", double_conv(inputs * width, inputs * width, outputs * width))
        self.fin_out = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, 5):
            x = self.get_submodule(f"db{i}")(self.get_submodule(f"up{i}")(x))
        result: Tensor = self.fin_out(x)
        return result


class DiscriminativeDecoder(nn.Module):
    """A U-Net's decoder: each up-convolution is joined with the encoder's block of its size."""

    STAGES = ("_b", "1", "2", "3", "4")

    def __init__(self, width: int) -> None:
        super().__init__()
        ups = [(8, 8), (8, 4), (4, 2), (2, 1), (1, 1)]
        joined = [(16, 8), (12, 4), (6, 2), (3, 1), (2, 1)]
        for stage, up, join in zip(self.STAGES, ups, joined, strict=True):
            self.add_module(f"up{stage}", up_conv(up[0] * width, up[1] * width))
            block = double_conv(join[0] * width, join[1] * width, join[1] * width)
            self.add_module(f"db{stage}", block)
        self.fin_out = nn.Sequential(nn.Conv2d(width, 2, 3, padding=1))

    def forward(self, blocks: list[Tensor]) -> Tensor:
        x = blocks[-1]
        for stage, skip in zip(self.STAGES, reversed(blocks[:-1]), strict=True):
            x = torch.cat((self.get_submodule(f"up{stage}")(x), skip), dim=1)
            x = self.get_submodule(f"db{stage}")(x)
        result: Tensor = self.fin_out(x)
        return result


class Reconstructive(nn.Module):
    """3 -> 3 channels: reconstructs the image as if it were good."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.encoder = Encoder([3, width, 2 * width, 4 * width, 8 * width, 8 * width])
        self.decoder = ReconstructiveDecoder(width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.decoder(self.encoder(x)[-1])
        return result


class Discriminative(nn.Module):
    """6 -> 2 channels: logits of (good, anomalous) from the reconstruction and the image."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        channels = [6, *(width * factor for factor in (1, 2, 4, 8, 8, 8))]
        self.encoder_segment = Encoder(channels)
        self.decoder_segment = DiscriminativeDecoder(width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.decoder_segment(self.encoder_segment(x))
        return result


class Output(NamedTuple):
    """Of one batch: the reconstruction [N, 3, H, W] and the logits [N, 2, H, W]."""

    reconstruction: Tensor
    logits: Tensor


class Draem(Network):
    """Both networks; input [N, 3, H, W], BGR in 0..1, H and W multiples of 32."""

    def __init__(self, rec_width: int = 128, seg_width: int = 64, window: int = 3) -> None:
        super().__init__()
        self.spec = NetworkSpec("pixels", rec_width, seg_width, window)
        self.reconstructive = Reconstructive(rec_width)
        self.discriminative = Discriminative(seg_width)

    def forward(self, image: Tensor) -> Output:
        reconstruction = self.reconstructive(image)
        logits = self.discriminative(torch.cat((reconstruction, image), dim=1))
        return Output(reconstruction, logits)

    def heatmap(self, image: Tensor) -> Tensor:
        output: Output = self(image)
        return anomalous(output.logits)

    def losses(self, good: Tensor, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
        output: Output = self(image)
        return draem_loss(output.reconstruction, good, output.logits, mask)


def authors_window(height: int, width: int) -> int:
    """The side of the authors' average pool: 21 at 256x256, in proportion elsewhere."""
    return 2 * (21 * min(height, width) // 512) + 1
