"""The processes that train together: one, or as many as torchrun has started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from trainer.training.checkpoint import TrainingError


@dataclass(frozen=True)
class ProcessGroup:
    """This process is `rank` of `size` and computes on `device`; rank 0 validates and writes."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def maximum(self, value: int) -> int:
        """The largest value of all processes."""
        if self.size == 1:
            return value
        held = torch.tensor(int(value), device=self.device)
        distributed.all_reduce(held, distributed.ReduceOp.MAX)
        return int(held.item())

    def agrees(self, digest: str) -> bool:
        """Whether all processes have the same SHA-256, by its first 15 digits."""
        value = int(digest[:15], 16)
        highest, lowest = self.maximum(value), -self.maximum(-value)
        return highest == lowest


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is a GPU; under torchrun each local process has its own GPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError("there is no CUDA device here: leave out --device")
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return torch.device(name)


@contextmanager
def join(device: torch.device) -> Iterator[ProcessGroup]:
    """The group that torchrun started (it sets RANK and WORLD_SIZE), or this process alone."""
    if "RANK" not in os.environ:
        yield ProcessGroup(device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
