"""A network from what it is made of."""

from trainer.network.features.backbone import load_encoder
from trainer.network.features.encoder import Encoder
from trainer.network.features.model import FeatureDraem
from trainer.network.network import Network
from trainer.network.pixels.model import Draem
from trainer.network.spec import NetworkSpec


def make_network(spec: NetworkSpec, *, pretrained: bool = False) -> Network:
    """Networks with random weights; the frozen encoder has its own only if `pretrained`.

    Raises BackboneError where its weights are not installed.
    """
    if spec.kind == "pixels":
        return Draem(spec.rec_width, spec.seg_width, spec.window)
    backbone = str(spec.backbone)
    return FeatureDraem(spec, load_encoder(backbone) if pretrained else Encoder(backbone))
