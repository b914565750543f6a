"""DRAEM as published: parameters, names, sizes."""

import pytest
import torch

from trainer.network.network import anomalous, pooled_maximum
from trainer.network.pixels.model import Draem, authors_window


def test_the_papers_widths_have_the_papers_parameters() -> None:
    with torch.device("meta"):
        model = Draem(128, 64)
    assert sum(p.numel() for p in model.reconstructive.parameters()) == 69_048_579
    assert sum(p.numel() for p in model.discriminative.parameters()) == 28_374_146


def test_state_dict_names_are_the_authors() -> None:
    model = Draem(2, 2)
    rec, seg = model.reconstructive.state_dict(), model.discriminative.state_dict()
    assert (len(rec), len(seg)) == (156, 191)
    for name in ("encoder.block5.4.running_var", "decoder.up4.2.bias", "decoder.fin_out.0.weight"):
        assert name in rec
    for name in (
        "encoder_segment.block6.3.weight",
        "decoder_segment.up_b.1.weight",
        "decoder_segment.db4.4.num_batches_tracked",
    ):
        assert name in seg


def test_the_discriminative_network_reads_reconstruction_then_image() -> None:
    """The order of the authors' concatenation; the other one would make their weights useless."""
    model = Draem(2, 2).eval()
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        rebuilt = model.reconstructive(image)
        expected = model.discriminative(torch.cat((rebuilt, image), dim=1))
        assert torch.equal(model(image).logits, expected)


@pytest.mark.parametrize(("side", "window"), [(32, 3), (64, 5), (128, 11), (256, 21), (512, 43)])
def test_the_window_keeps_the_authors_proportion(side: int, window: int) -> None:
    assert authors_window(side, 2 * side) == window


def test_the_score_is_the_maximum_of_the_zero_padded_mean() -> None:
    logits = torch.zeros(1, 2, 64, 64)
    logits[0, 1] = -50.0
    logits[0, 1, 0, 0] = 50.0
    heatmap = anomalous(logits)
    score = pooled_maximum(heatmap, 5)
    assert heatmap.max() == pytest.approx(1)
    assert score.item() == pytest.approx(1 / 25, rel=1e-4)
