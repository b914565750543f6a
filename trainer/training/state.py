"""All that a training step changes, and how it is saved and taken up again."""

import copy
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trainer.network.model import Draem
from trainer.training.checkpoint import TrainingError
from trainer.training.distributed import World
from trainer.training.train_settings import TrainSettings
from trainer.training.validate import Point

Weights = dict[str, Tensor]


@dataclass(eq=False)
class TrainingState:
    """A training after `step` steps.

    `forward` is `model`, wrapped for several processes or compiled; `averaged` follows its weights;
    `best` are the averaged weights, with statistics of their own, that did best in the validations
    so far (`curve`).
    """

    model: Draem
    forward: nn.Module
    averaged: AveragedModel
    optimizer: Optimizer
    schedule: LRScheduler
    scaler: torch.amp.GradScaler
    precision: torch.dtype
    step: int = 0
    seconds: float = 0
    curve: list[Point] = field(default_factory=list)
    best: Weights = field(default_factory=dict)

    def saved(self) -> dict[str, Any]:
        """Tensors, numbers and strings alone: a checkpoint is read without pickle's dangers."""
        return {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": plain(self.schedule.state_dict()),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "curve": [asdict(point) for point in self.curve],
            "best": self.best,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take up what `saved` gave."""
        for name in ("model", "averaged", "optimizer", "schedule", "scaler"):
            getattr(self, name).load_state_dict(saved[name])
        self.step, self.seconds, self.best = saved["step"], saved["seconds"], saved["best"]
        self.curve = [Point(**point) for point in saved["curve"]]


def plain(state: dict[str, Any]) -> dict[str, Any]:
    """A schedule's state without its functions, which it has anew when it is made."""
    return {k: dict(v) if isinstance(v, dict) else v for k, v in state.items() if not callable(v)}


def fresh(settings: TrainSettings, world: World, networks: type[Draem] = Draem) -> TrainingState:
    """A training before its first step; the same seed gives the same weights everywhere."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = networks(settings.rec_width, settings.seg_width, settings.window)
        if settings.init == "paper":
            model.apply(paper_init)
    model.to(world.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
    if settings.sync_batchnorm and (world.size == 1 or world.device.type != "cuda"):
        raise TrainingError("--sync-batchnorm needs several GPUs under torchrun: leave it out")
    if settings.sync_batchnorm:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    optimizer = Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    precision = pick_precision(settings.precision, world.device)
    return TrainingState(
        model=model,
        forward=wrap(model, settings, world),
        averaged=averaged,
        optimizer=optimizer,
        schedule=make_schedule(optimizer, settings),
        scaler=torch.amp.GradScaler(world.device.type, enabled=precision == torch.float16),
        precision=precision,
    )


def paper_init(module: nn.Module) -> None:
    """The authors' initial weights: N(0, 0.02) for convolutions, N(1, 0.02) for BatchNorm."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


def wrap(model: Draem, settings: TrainSettings, world: World) -> nn.Module:
    """What a step calls: rank 0's BatchNorm statistics go to all, unless they are made together."""
    forward: nn.Module = model
    if world.size > 1:
        devices = [world.device] if world.device.type == "cuda" else None
        forward = nn.parallel.DistributedDataParallel(model, device_ids=devices)
    if settings.compile:
        forward = cast(nn.Module, torch.compile(forward))
    return forward


def make_schedule(optimizer: Optimizer, settings: TrainSettings) -> LRScheduler:
    """One cycle with a warm-up and a cosine, or the paper's: x0.2 at 80 % and again at 90 %."""
    if settings.schedule == "one-cycle":
        # Two steps at least: its phases are divided by their lengths.
        total = max(settings.steps, 2)
        return OneCycleLR(optimizer, settings.learning_rate, total, pct_start=0.15)
    milestones = [settings.steps * 8 // 10, settings.steps * 9 // 10]
    return MultiStepLR(optimizer, milestones, gamma=0.2)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where the device computes in it, float16 on older GPUs, else float32."""
    if name != "auto":
        chosen: torch.dtype = getattr(torch, name)
        return chosen
    if device.type == "cuda":
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float16
        )
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


def averaged_networks(state: TrainingState) -> Draem:
    """A copy of the averaged networks to validate, with plain BatchNorm and no wrapping."""
    return copy.deepcopy(state.averaged.module)  # type: ignore[return-value]
