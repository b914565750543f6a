"""A network from what it is made of."""

from pathlib import Path

from trainer.network.features.backbone import load_encoder, make_encoder
from trainer.network.features.model import FeatureDraem
from trainer.network.network import Network
from trainer.network.pixels.model import Draem
from trainer.network.spec import NetworkSpec


def make_network(spec: NetworkSpec, *, encoder_weights: Path | None = None) -> Network:
    """Networks with random weights; the frozen encoder has those of a file, if it is given.

    Raises BackboneError where it cannot be read.
    """
    if spec.kind == "pixels":
        return Draem(spec.rec_width, spec.seg_width, spec.window)
    name, weights = str(spec.backbone), encoder_weights
    return FeatureDraem(spec, load_encoder(name, weights) if weights else make_encoder(name))
