"""The loop: batches that belong to their step, resuming to the same weights, several processes."""

import argparse
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from edge.product.product import load_product, versions
from edge.vision.fit import Fit
from tests.conftest import Plant, draem, write_parts
from trainer.data.sources import FEWEST_FOR_CALIBRATION, assign_splits, load_sources
from trainer.simulation.augmentation import Augmentation
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.studies.reference_loader import AuthorsDataset
from trainer.studies.results_file import results
from trainer.training import checkpoint
from trainer.training.batches import Batches, epoch_order, to_pool
from trainer.training.distributed import World
from trainer.training.options import add_arguments, chosen, given_settings, make_settings
from trainer.training.progress_log import LOSS_EVERY
from trainer.training.session import TrainingJob, all_sources, session
from trainer.training.state import fresh, pick_precision
from trainer.training.train import (
    Images,
    best_of,
    count_steps,
    make_batches,
    simulation_of,
    take_step,
)
from trainer.training.train_settings import PRESETS, SIZES, TrainSettings
from trainer.training.validate import Point, validation_set

CPU = torch.device("cpu")
ALONE = World(CPU)
SMALL = ("--input", "32", "--widths", "4/4", "--batch", "4")


def settings(**values: object) -> TrainSettings:
    """Of the smallest networks."""
    small: dict[str, object] = {
        "images": "unused", "product": "lid", "products": "unused", "height": 32, "width": 32,
        "rec_width": 4, "seg_width": 4, "batch": 4, "device": "cpu",
    }  # fmt: skip
    return TrainSettings.model_validate(small | values)


def batches(good: NDArray[np.uint8], **values: object) -> Batches:
    simulation = Simulation(procedural)
    return Batches(to_pool(good, CPU), simulation, 4, 7, **values)  # type: ignore[arg-type]


def test_a_batch_belongs_to_its_step_alone(good_frames: NDArray[np.uint8]) -> None:
    """Whoever makes it, in whatever order: workers cannot matter, and a resumed run goes on."""
    varied = Augmentation(20.0, mirror=True, light=0.2)
    one, other = (batches(good_frames, variation=varied) for _ in range(2))
    forwards = [one(step) for step in range(8)]
    backwards = [other(step) for step in reversed(range(8))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert torch.equal(a.good, b.good)
        assert torch.equal(a.simulated.images, b.simulated.images)
        assert torch.equal(a.simulated.mask, b.simulated.mask)


def test_no_two_steps_or_processes_repeat(good_frames: NDArray[np.uint8]) -> None:
    made = [
        batches(good_frames, rank=rank, world=2, stream=stream)(step)
        for rank in range(2)
        for step in range(12)
        for stream in ("training", "statistics")
    ]
    masks = [tuple(m.nonzero().flatten().tolist()) for b in made for m in b.simulated.mask]
    drawn = [mask for mask in masks if mask]
    assert len(drawn) > 50
    assert len(set(drawn)) == len(drawn)


def test_every_epoch_shows_each_image_once_in_an_order_of_its_own(
    good_frames: NDArray[np.uint8],
) -> None:
    """24 images, two processes of 4: an epoch is three steps."""
    epochs = []
    for epoch in range(2):
        steps = range(3 * epoch, 3 * epoch + 3)
        chosen = [batches(good_frames, rank=r, world=2).chosen(s) for s in steps for r in range(2)]
        epochs.append(torch.cat(chosen).tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(24))
    assert epochs[0] != epochs[1]
    assert epoch_order(24, 7, "training", 0).tolist() == epochs[0]


def test_what_the_command_says_of_variation_reaches_the_batches(
    good_frames: NDArray[np.uint8],
) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["good", "--rotation", "5", "--mirror", "--light", "0.2"]
    given = given_settings(parser.parse_args(words))
    told = make_settings(chosen(given) | {"product": "lid", "products": "unused"})
    made = make_batches(told, good_frames, Simulation(procedural), ALONE)
    assert made.variation == Augmentation(5, mirror=True, light=0.2)


def test_gray_images_get_gray_anomalies(good_frames: NDArray[np.uint8]) -> None:
    """Or colour alone would be the defect."""
    gray = np.repeat(good_frames[..., :1], 3, axis=3)
    for pool, coloured in ((gray, False), (good_frames, True)):
        images = Images(pool, pool[:4])
        made = make_batches(settings(batch=16), pool, simulation_of(settings(), images, CPU), ALONE)
        changed = made(0).simulated.images
        assert bool((changed[:, :1] != changed).any()) is coloured


def test_the_paper_schedule_drops_at_80_and_90_percent(good_frames: NDArray[np.uint8]) -> None:
    """Also where the epochs are no multiple of ten."""
    chosen = settings(**{k: v for k, v in PRESETS["paper"].items() if k in ("schedule", "init")},
                      steps=17, learning_rate=1e-4)  # fmt: skip
    state = fresh(chosen, ALONE)
    rates = []
    for _ in range(17):
        rates.append(state.optimizer.param_groups[0]["lr"])
        state.optimizer.step()
        state.schedule.step()
    assert rates == pytest.approx([1e-4] * 13 + [2e-5] * 2 + [4e-6] * 2)
    weight = state.model.state_dict()["discriminative.encoder_segment.block6.0.weight"]
    assert weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_epochs_and_minutes_become_steps(good_frames: NDArray[np.uint8]) -> None:
    images = Images(good_frames, good_frames[:4])
    assert count_steps(settings(epochs=5, batch=5), images, ALONE).steps == 25
    assert count_steps(settings(epochs=5, batch=5), images, World(CPU, 0, 2)).steps == 5 * 3
    assert count_steps(settings(steps=9), images, ALONE).steps == 9
    few = count_steps(settings(minutes=0.02), images, ALONE).steps
    many = count_steps(settings(minutes=2), images, ALONE).steps
    assert 1 <= few < many


def test_the_named_sizes_are_what_their_help_says() -> None:
    for size in SIZES.values():
        with torch.device("meta"):
            from trainer.network.model import Draem

            model = Draem(size.rec_width, size.seg_width)
        count = sum(p.numel() for p in model.parameters()) / 1e6
        assert f"{count:.1f} M" == size.parameters
        with FlopCounterMode(display=False) as counted:
            model.eval()(torch.empty(1, 3, 256, 256, device="meta"))
        assert counted.get_total_flops() / 2e9 == pytest.approx(size.gmac, abs=0.06)
        measured = {row["widths"]: row["value"] for row in results() if row["study"] == "times"}
        widths = f"{size.rec_width}/{size.seg_width}"
        assert size.milliseconds == pytest.approx(float(str(measured[widths])), rel=0.05)


def test_a_step_under_bfloat16_counts_in_float32(good_frames: NDArray[np.uint8]) -> None:
    chosen = settings(precision="bfloat16")
    state = fresh(chosen, ALONE)
    made = make_batches(chosen, good_frames[:, :32, :32], Simulation(procedural), ALONE)
    losses = take_step(state, made(0), chosen)
    exact = take_step(fresh(settings(), ALONE), made(0), settings())
    for rough, loss in zip(losses, exact, strict=True):
        assert rough.dtype == torch.float32
        assert rough.item() == pytest.approx(loss.item(), rel=0.05, abs=0.01)
    assert all(p.dtype == torch.float32 for p in state.model.parameters())
    assert pick_precision("float16", CPU) == torch.float16


def test_the_validation_set_repeats_few_images_with_other_anomalies(
    good_frames: NDArray[np.uint8],
) -> None:
    simulation = Simulation(procedural)
    first, again = (validation_set(to_pool(good_frames, CPU), simulation, 3) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert len(first.images) == 64
    anomalous = first.mask.flatten(1).amax(1) > 0
    assert 20 <= anomalous.sum() <= 32


def test_the_validation_set_has_each_image_with_an_anomaly_and_as_it_is() -> None:
    """Between different images the AUROC would tell of the images, where good parts differ."""
    shades = np.arange(200, dtype=np.uint8)[:, None, None, None]
    images = to_pool(np.tile(shades, (1, 32, 32, 3)), CPU)
    held = validation_set(images, Simulation(procedural), 0)
    made, good = held.images.chunk(2)
    assert len(good) == 64
    assert good.mean() * 255 == pytest.approx(99.5, abs=3), "from all of them, evenly"
    kept = (made == good).all(dim=1) | (held.mask[:64] > 0)
    assert kept.float().mean() > 0.98, "the pair's images differ in the anomaly alone"
    assert held.mask[64:].max() == 0


def test_the_best_weights_have_the_highest_pixel_ap_and_of_equals_the_latest() -> None:
    points = [Point(1, 0.9, 0.5), Point(2, 0.8, 0.7), Point(3, 0.7, 0.7), Point(4, 1, 0.6)]
    assert best_of(points) is points[2]


# The command, in processes of its own.


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_parts(tmp_path / "good", 24, seed=5)
    return tmp_path / "good"


def start(cwd: Path, *words: str) -> subprocess.Popen[str]:
    """`draem train` that leaves a checkpoint at every validation."""
    command = [sys.executable, "-m", "draem", "train", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=cwd, env=environment, text=True, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> str:
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def weights(root: Path) -> dict[str, torch.Tensor]:
    product = load_product(root / "products", "lid")
    path = root / "runs/lid" / f"{product.model_digest[:12]}.pt"
    loaded: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return loaded


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")


def test_killed_and_resumed_it_ends_with_the_same_weights(images: Path, tmp_path: Path) -> None:
    words = (str(images), "--product", "lid", *SMALL, "--steps", "60", "--validate-every", "6")
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    finish(start(tmp_path / "whole", *words))
    root = tmp_path / "killed"
    kept = root / "runs/lid/checkpoint.pt"
    process = start(root, *words)
    wait_for(kept, process)
    process.send_signal(signal.SIGKILL)  # before the first validation
    process.communicate()
    process = start(root, "--resume", "--product", "lid")
    for _ in range(2):
        written = kept.stat().st_mtime_ns
        while kept.exists() and kept.stat().st_mtime_ns == written:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1))  # in steps, a validation or writing, as it comes
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert kept.exists(), "it was killed too late to show anything"
        process = start(root, "--resume", "--product", "lid")
    last = re.search(r"going on at step (\d+) of 60", finish(process))
    assert last is not None
    assert int(last[1]) >= 6, "what was trained is not trained again"
    whole, resumed = weights(tmp_path / "whole"), weights(root)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not kept.exists()
    curves = [json.loads((p / "products/lid/1/training.json").read_text())["curve"]
              for p in (tmp_path / "whole", root)]  # fmt: skip
    assert curves[0] == curves[1]
    assert [point["step"] for point in curves[0]] == list(range(6, 61, 6))
    page = (root / "runs/lid/training.html").read_text()
    assert page.count("<svg") == 1
    assert page.count("<img") == 12
    assert "rec_width=4" in page


def test_killed_after_its_product_was_written_it_does_not_write_it_twice(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"products": tmp_path / "products", "runs": tmp_path / "runs"}
    order = TrainingJob("lid", tmp_path / "runs", settings(images=images, steps=2, **places))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "discard", lambda folder: None)  # as if it was killed before
        session(order)
    assert checkpoint.exists(order.folder)
    current = tmp_path / "products/lid/current"
    current.unlink()  # or even a moment earlier
    kept = checkpoint.load(order.folder)
    again = session(TrainingJob("lid", tmp_path / "runs", None))
    assert again is not None
    assert again.version == "1"
    assert versions(tmp_path / "products", "lid") == [1]
    assert current.resolve().name == "1"
    assert not checkpoint.exists(order.folder)
    state = kept.state | {"seconds": kept.state["seconds"] + 1}
    checkpoint.save(order.folder, kept.settings, kept.images, 1, state)
    another = session(TrainingJob("lid", tmp_path / "runs", None))
    assert another is not None
    assert another.version == "2", "that is another training"


def test_an_unfinished_training_is_neither_lost_nor_mixed_up(images: Path, tmp_path: Path) -> None:
    words = (str(images), "--product", "lid", *SMALL, "--steps", "2000", "--validate-every", "2")
    kept = tmp_path / "runs/lid/checkpoint.pt"
    process = start(tmp_path, *words)
    wait_for(kept, process)
    second = draem("train", *words, "--restart", cwd=tmp_path)
    assert second.returncode == 2
    assert "another training" in second.stderr
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "draem train --resume --product lid" in said
    again = draem("train", *words, cwd=tmp_path)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    assert "--restart" in again.stderr
    mixed = draem("train", "--resume", "--product", "lid", "--steps", "5", cwd=tmp_path)
    assert mixed.returncode == 2
    assert "leave out --steps" in mixed.stderr
    next(iter(images.iterdir())).unlink()
    changed = draem("train", "--resume", "--product", "lid", cwd=tmp_path)
    assert changed.returncode == 2
    assert "not those that the training began with" in " ".join(changed.stderr.split())
    kept.write_bytes(b"torn")
    torn = draem("train", "--resume", "--product", "lid", cwd=tmp_path)
    assert torn.returncode == 2
    assert "--restart" in torn.stderr
    anew = (*words[:3], *SMALL, "--steps", "2", "--restart")
    assert draem("train", *anew, cwd=tmp_path).returncode == 0
    assert not kept.exists()


def test_frames_marked_on_the_line_are_trained_from_with_their_provenance(
    images: Path, calibrated: Plant, tmp_path: Path
) -> None:
    """A false reject of a real line, marked, among the images of the next product."""
    (tmp_path / "products").symlink_to(calibrated.products)
    line = ("--source", "line://moulded?rate=0&parts=3&seed=3", "--endpoint", "ipc://bus")
    ran = draem("run", "--product", "lid", *line, "--ok-one-in", "1", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    marked = draem("log", "mark", "2", "false-reject", cwd=tmp_path)
    assert marked.returncode == 0, marked.stderr
    folder = tmp_path / "data/station-1/marked/false-reject"
    words = ("--product", "again", *SMALL, "--steps", "2", "--products", "made")
    done = draem("train", str(images), "--also", str(folder), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "made/again/1/sources.json").read_text())["images"]
    (known,) = [row["marked"] for row in rows if "marked" in row]
    assert (known["as"], known["station"], known["inspection_id"]) == (
        "false-reject",
        "station-1",
        2,
    )
    assert known["product"] == "lid"
    assert next(row["split"] for row in rows if "marked" in row) == "train", "it was picked"
    assert len(rows) == len(list(images.iterdir())) + 1


def test_other_textures_are_another_training(images: Path, tmp_path: Path) -> None:
    (picture,) = write_parts(tmp_path / "textures", 1, seed=8)
    chosen = settings(images=str(images), textures=str(tmp_path / "textures"))
    before = all_sources(chosen).digest
    assert before == all_sources(chosen).digest
    picture.write_bytes(write_parts(tmp_path / "other", 1, seed=9)[0].read_bytes())
    assert all_sources(chosen).digest != before


def test_picked_images_count_for_no_share() -> None:
    """However many were marked on the line, as many others are set aside as ever."""
    others, picked = [f"good{i}" for i in range(20)], {f"marked{i}" for i in range(50)}
    for seed in range(20):
        splits = assign_splits([*others, *sorted(picked)], seed, picked)
        assert set(splits[20:]) == {"train"}
        assert splits.count("validation") == 2
        assert splits.count("calibration") == FEWEST_FOR_CALIBRATION


def test_a_training_of_two_processes_is_not_resumed_by_one(images: Path, tmp_path: Path) -> None:
    sources = load_sources(images, Fit(32, 32), 0)
    chosen = settings(images=str(images), products=str(tmp_path / "products"))
    folder = tmp_path / "runs/lid"
    folder.mkdir(parents=True)
    checkpoint.save(folder, chosen, sources.digest, 2, fresh(chosen, ALONE).saved())
    done = draem("train", "--resume", "--product", "lid", cwd=tmp_path)
    assert done.returncode == 2
    assert "torchrun --nproc-per-node 2 -m trainer --resume --product lid" in done.stderr


def test_a_loss_that_is_no_number_ends_the_training(images: Path, tmp_path: Path) -> None:
    words = ("--product", "lid", *SMALL, "--learning-rate", "1e20", "--validate-every", "3")
    done = draem("train", str(images), *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "--learning-rate" in done.stderr
    assert not (tmp_path / "products/lid/1").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device", "cuda"), "no CUDA device"),
        (("--sync-batchnorm",), "several GPUs"),
        (("--batch", "1"), "no statistics"),
        (("--minutes", "inf"), "--minutes"),
        (("--seed", "99999999999999999999"), "--seed"),
        (("--steps", "3", "--epochs", "2"), "exclude each other"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: tuple[str, ...], said: str, images: Path, tmp_path: Path
) -> None:
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = draem("train", str(images), "--product", "lid", *SMALL, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own
def test_compiling_wraps_what_a_step_calls() -> None:
    assert isinstance(fresh(settings(compile=True), ALONE).forward, torch._dynamo.OptimizedModule)
    plain = fresh(settings(), ALONE)
    assert plain.forward is plain.model


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    done = draem("train", "--resume", "--product", "lid", cwd=tmp_path)
    assert done.returncode == 2
    assert "leave out --resume" in done.stderr


def test_the_preview_is_a_sheet_and_no_training(images: Path, tmp_path: Path) -> None:
    words = ("--product", "lid", *SMALL, "--preview", "sheet.png")
    done = draem("train", str(images), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    import cv2

    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (8 * 32, 6 * 32, 3)
    masks = sheet[:, 64:96]
    assert set(np.unique(masks)) == {0, 255}
    assert not (tmp_path / "products").exists()


def test_tensorboard_has_the_curves(images: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    words = (str(images), "--product", "lid", *SMALL, "--steps", "20", "--validate-every", "10")
    finish(start(tmp_path, *words))
    events = EventAccumulator(str(tmp_path / "runs/lid/tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("validation/pixel_ap")] == [10, 20]
    assert [e.step for e in events.Scalars("loss/ssim")] == [1, 10, 20]
    assert all(math.isfinite(e.value) for e in events.Scalars("loss/focal"))


STEP_OF_TWO = """
import sys, torch
from tests.trainer.test_training import settings
from trainer.training.state import fresh
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import procedural
from trainer.training.train import make_batches, take_step
from trainer.training.distributed import join
import numpy as np
with join(torch.device("cpu")) as world:
    chosen = settings(clip=0)
    good = np.load(sys.argv[1])
    state = fresh(chosen, world)
    batches = make_batches(chosen, good, Simulation(procedural), world)
    loss = take_step(state, batches(3), chosen).total.item()
    found = {"loss": loss, "model": {n: b.clone() for n, b in state.model.state_dict().items()},
             "grads": {n: p.grad.clone() for n, p in state.model.named_parameters()}}
    def seen(model, images):
        found["second"] = {n: b.clone() for n, b in model.named_buffers()}
    state.model.register_forward_pre_hook(seen)
    take_step(state, batches(4), chosen)
    torch.save(found, f"{sys.argv[2]}/{world.rank}.pt")
"""


def torchrun(*words: str, cwd: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc-per-node", "2", *words]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As torchrun's processes have it: another count of threads sums in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_two_processes_make_the_step_of_two_half_batches(
    good_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    small = np.ascontiguousarray(good_frames[:, :32, :32])
    np.save(tmp_path / "good.npy", small)
    (tmp_path / "step.py").write_text(STEP_OF_TWO)
    torchrun("step.py", "good.npy", str(tmp_path), cwd=tmp_path)
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]

    chosen = settings(clip=0)
    gradients, statistics = [], []
    for rank in range(2):
        state = fresh(chosen, ALONE)
        halves = make_batches(chosen, small, Simulation(procedural), World(CPU, rank, 2))
        loss = take_step(state, halves(3), chosen).total.item()
        assert loss == pytest.approx(found[rank]["loss"], rel=1e-5)
        gradients.append({n: p.grad for n, p in state.model.named_parameters()})
        statistics.append(dict(state.model.named_buffers()))
    assert found[0]["loss"] != found[1]["loss"], "each process has its own half"
    for name, first in gradients[0].items():
        second = gradients[1][name]
        assert first is not None
        assert second is not None
        mean = (first + second) / 2
        for one in found:
            torch.testing.assert_close(one["grads"][name], mean, rtol=1e-4, atol=1e-7)
    for name, buffer in statistics[0].items():
        torch.testing.assert_close(found[0]["model"][name], buffer, rtol=1e-5, atol=1e-7)
        for one in found:  # the next step begins with rank 0's in both
            torch.testing.assert_close(one["second"][name], buffer, rtol=1e-5, atol=1e-7)


INTERRUPTED_IN_ONE = """
import os, signal, sys
from pathlib import Path
import numpy as np, torch
from tests.trainer.test_training import settings
from trainer import train
from trainer.training.distributed import join
good, step = np.load(sys.argv[1]), train.take_step
with join(torch.device("cpu")) as world:
    def interrupted(state, batch, chosen):
        if world.rank == 1 and state.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(state, batch, chosen)
    train.take_step = interrupted
    images = train.Images(good, good[:4])
    try:
        train.train(settings(steps=1000, validate_every=500), images, world, folder=Path("run"))
    except KeyboardInterrupt:
        Path(f"stopped.{world.rank}").touch()
"""


def test_ctrl_c_in_one_process_stops_both_and_saves(
    good_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    np.save(tmp_path / "good.npy", np.ascontiguousarray(good_frames[:, :32, :32]))
    (tmp_path / "train.py").write_text(INTERRUPTED_IN_ONE)
    (tmp_path / "run").mkdir()
    torchrun("train.py", "good.npy", cwd=tmp_path)
    assert {path.name for path in tmp_path.glob("stopped.*")} == {"stopped.0", "stopped.1"}
    assert checkpoint.load(tmp_path / "run").state["step"] == LOSS_EVERY


def test_torchrun_trains_one_product(images: Path, tmp_path: Path) -> None:
    words = (str(images), "--product", "lid", *SMALL, "--steps", "6", "--validate-every", "3")
    torchrun("-m", "trainer", *words, cwd=tmp_path)
    product = load_product(tmp_path / "products", "lid")
    assert product.version == "1"
    assert product.manifest.origin["processes"] == 2
    assert not (tmp_path / "runs/lid/checkpoint.pt").exists()


def test_the_authors_recipe_makes_sound_batches(
    good_frames: NDArray[np.uint8],
) -> None:
    """What the training is timed against: its own images, masks and blends are sound."""
    good, made, mask = next(iter(DataLoader(AuthorsDataset(good_frames, 40), 40)))
    changed = (good != made).any(dim=1)
    assert not (changed & (mask == 0)).any()
    empty = (mask.amax(dim=(1, 2)) == 0).float().mean()
    assert 0.3 < empty < 0.8
    assert made.min() >= 0
    assert made.max() <= 1
    assert made.is_contiguous()


def test_bench_train_gives_its_figures(tmp_path: Path) -> None:
    words = ("--widths", "4/4", "--input", "32", "--batch", "2", "--pairs", "2", "--json")
    done = draem("bench", "train", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert 0 < figures["simulation_share"] < 1
    assert 0 < figures["convolution_share"] < 1
    assert figures["simulation_ms"] > 0
    assert figures["ratio"] > 0
    assert figures["pairs"] == 2


def test_the_gpu_study_runs_whole_on_what_there_is(tmp_path: Path) -> None:
    write_parts(tmp_path / "train/good", 16, seed=1)
    write_parts(tmp_path / "test/good", 3, seed=2)
    write_parts(tmp_path / "test/chip", 3, seed=3, defective=True)
    words = (str(tmp_path), "--minutes", "0.01", "--widths", "4/4", "--input", "32", "--batch", "2")
    command = [sys.executable, "-m", "trainer.studies.gpu_widths", *words, "--pairs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    width, step = (json.loads(line) for line in done.stdout.splitlines())
    assert width["widths"] == "4/4"
    assert 0 <= width["image_auroc"] <= 1
    assert width["by_defect"].keys() == {"chip"}
    assert step["ratio"] > 0
