"""The authors' published checkpoints: two bare state dicts, their widths read from the tensors."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from edge.base.errors import DraemError
from trainer.network.pixels.model import Discriminative, Draem, Reconstructive, authors_window

REC_KEY = "encoder.block1.0.weight"
SEG_KEY = "encoder_segment.block1.0.weight"


class CheckpointError(DraemError):
    """A file is not a checkpoint of the authors' code."""


def load_pair(rec: Path, seg: Path, height: int = 256, width: int = 256) -> Draem:
    """Both networks from a pair of checkpoint files, for images of height x width.

    Raises CheckpointError for a wrong file.
    """
    rec_state = _state(rec, REC_KEY, "reconstructive")
    seg_state = _state(seg, SEG_KEY, "discriminative")
    window = authors_window(height, width)
    model = Draem(len(rec_state[REC_KEY]), len(seg_state[SEG_KEY]), window)
    _fill(model.reconstructive, rec_state, rec)
    _fill(model.discriminative, seg_state, seg)
    return model.eval()


def _state(path: Path, key: str, kind: str) -> dict[str, Tensor]:
    """The tensors of one file. Raises CheckpointError for those of another network."""
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: name the {kind} network's checkpoint")
    try:
        with warnings.catch_warnings(action="ignore"):  # a wrong file is an error below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} is not a PyTorch checkpoint of plain tensors: name the file that the "
            f"authors' code wrote for the {kind} network"
        ) from error
    if not isinstance(state, dict) or not _is_weight(state.get(key)):
        raise CheckpointError(
            f"{path} does not hold a {kind} network (no '{key}'): the order is REC.pckl SEG.pckl"
        )
    return state


def _is_weight(value: object) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4


def _fill(network: Reconstructive | Discriminative, state: dict[str, Tensor], path: Path) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(
            f"{path} does not fit DRAEM at its width ({first}): name the authors' file unchanged"
        ) from error
    if not all(bool(torch.isfinite(t).all()) for t in state.values()):
        raise CheckpointError(f"{path} holds numbers that are not finite: it is damaged")
