"""The pixels networks as nodes of an ONNX graph."""

import copy
from typing import cast

import numpy as np
import torch
from torch import nn

from edge.product.model_parts import HEAD
from trainer.network.onnx_graph import Graph
from trainer.network.pixels.model import Draem, Encoder

INPUT_SCALE = 255 / 256
"""uint8 / 256 is exact in float16, and / 255 is not: the image is this times its value."""


def add_encoder(graph: Graph, x: str, encoder: Encoder) -> list[str]:
    blocks: list[str] = []
    for i in range(1, encoder.depth + 1):
        if i > 1:
            scales = graph.scales[x]
            x = graph.add("MaxPool", x, scales=scales, kernel_shape=[2, 2], strides=[2, 2])
        x = graph.sequential(x, part(encoder, f"block{i}"))
        blocks.append(x)
    return blocks


def part(module: nn.Module, name: str) -> nn.Sequential:
    return cast(nn.Sequential, module.get_submodule(name))


def rebased(encoder: Encoder) -> Encoder:
    """The discriminative encoder, made to read (reconstruction - image, image).

    What it looks for is the difference of two nearly equal pictures, so its first weights are large
    and opposite, and rounding them to float16 moved trained maps by up to 0.02 at the 99.9th
    percentile. With a (r - i) + (a + b) i in place of a r + b i nothing large has to cancel.
    """
    encoder = copy.deepcopy(encoder)
    first = cast(nn.Conv2d, part(encoder, "block1")[0])
    with torch.no_grad():
        first.weight[:, 3:] += first.weight[:, :3]
    return encoder


def add_pixels(graph: Graph, model: Draem, image: str) -> str:
    """Both networks in float16, from the values of the image to the logits."""
    scaled = graph.constant(np.array(1 / 256, np.float16))
    image = graph.add("Mul", image, scaled, scales=np.full(3, INPUT_SCALE))
    x = add_encoder(graph, image, model.reconstructive.encoder)[-1]
    decoder = model.reconstructive.decoder
    for i in range(1, 5):
        x = graph.sequential(x, part(decoder, f"up{i}"))
        x = graph.sequential(x, part(decoder, f"db{i}"))
    x = graph.sequential(x, decoder.fin_out, INPUT_SCALE)
    difference = graph.add("Sub", x, image, scales=graph.scales[image])
    x = graph.concat(difference, image)
    blocks = add_encoder(graph, x, rebased(model.discriminative.encoder_segment))
    x = blocks[-1]
    segment = model.discriminative.decoder_segment
    for stage, skip in zip(segment.STAGES, reversed(blocks[:-1]), strict=True):
        x = graph.sequential(x, part(segment, f"up{stage}"))
        x = graph.concat(x, skip)
        x = graph.sequential(x, part(segment, f"db{stage}"))
    with graph.part(HEAD):
        return graph.sequential(x, segment.fin_out)
