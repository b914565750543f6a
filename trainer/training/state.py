"""Everything that a training step changes, and how it is saved and restored."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainer.network.make import make_network
from trainer.network.network import Network, Objective
from trainer.network.spec import NetworkSpec
from trainer.training.checkpoint import TrainingError
from trainer.training.distributed import ProcessGroup
from trainer.training.schedule import make_schedule
from trainer.training.settings import TrainSettings
from trainer.training.validate import Point


class MakeNetwork(Protocol):
    """Makes the networks of a training: `make_network`, or one of its variants."""

    def __call__(self, spec: NetworkSpec, *, encoder_weights: Path | None = None) -> Network: ...


STORED = ("model", "averaged", "optimizer", "schedule", "scaler")


@dataclass(eq=False)
class TrainingState:
    """A training after `step` steps of `steps`.

    `objective` gives the losses of `model`, wrapped where several processes train; `averaged` is
    the moving average of its weights; `best` are the averaged weights with the best validation so
    far (of `curve`).
    """

    model: Network
    objective: nn.Module
    averaged: AveragedModel
    optimizer: Optimizer
    schedule: LRScheduler
    scaler: torch.amp.GradScaler
    precision: torch.dtype
    steps: int
    step: int = 0
    seconds: float = 0
    curve: list[Point] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    def saved(self) -> dict[str, Any]:
        """Tensors, numbers and strings only, which torch.load reads without unpickling code."""
        return {name: _plain(getattr(self, name).state_dict()) for name in STORED} | {
            "steps": self.steps,
            "step": self.step,
            "seconds": self.seconds,
            "curve": [asdict(point) for point in self.curve],
            "best": self.best,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Continue from what `saved` returned. Raises TrainingError where it does not fit."""
        try:
            for name in STORED:
                getattr(self, name).load_state_dict(saved[name])
        except torch.OutOfMemoryError:
            raise
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError(
                "the unfinished training is of other networks than this version of the program "
                "makes: start again with --restart"
            ) from error
        self.steps, self.step = saved["steps"], saved["step"]
        self.seconds, self.best = saved["seconds"], saved["best"]
        self.curve = [Point(**point) for point in saved["curve"]]


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """A state without functions: a schedule creates its own again."""
    return {k: dict(v) if isinstance(v, dict) else v for k, v in state.items() if not callable(v)}


def initial_state(
    settings: TrainSettings,
    group: ProcessGroup,
    good: Iterable[Tensor] = (),
    make: MakeNetwork = make_network,
) -> TrainingState:
    """A training before its first step; the same seed gives the same weights everywhere.

    `good` are batches of images that the networks adapt to, the same for all processes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = make(settings.network_spec, encoder_weights=settings.encoder_weights)
        if settings.init == "paper":
            model.apply(paper_init)
    model.to(group.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.adapt(good)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
    objective: nn.Module = Objective(model)
    if group.size > 1:  # gradients are averaged; BatchNorm takes the statistics of rank 0
        devices = [group.device] if group.device.type == "cuda" else None
        objective = nn.parallel.DistributedDataParallel(objective, device_ids=devices)
    optimizer = Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    precision = pick_precision(settings.precision, group.device)
    return TrainingState(
        model=model,
        objective=objective,
        averaged=averaged,
        optimizer=optimizer,
        schedule=make_schedule(optimizer, settings),
        scaler=torch.amp.GradScaler(group.device.type, enabled=precision == torch.float16),
        precision=precision,
        steps=settings.steps,
    )


def paper_init(module: nn.Module) -> None:
    """The authors' initial weights: N(0, 0.02) for convolutions, N(1, 0.02) for BatchNorm."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where the device computes in it, float16 on older GPUs, else float32."""
    if name != "auto":
        chosen: torch.dtype = getattr(torch, name)
        return chosen
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
