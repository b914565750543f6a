"""The paper's variants: each does what its name says, and an ablation is resumable."""

import json
from pathlib import Path

import pytest
import torch
from torch import Generator

from tests.conftest import write_masks, write_parts
from tests.support.commands import draem_in_process
from trainer.simulation.simulate import Simulation
from trainer.simulation.textures import plain_colours, procedural
from trainer.studies.variants import (
    FEATURES,
    PIXELS,
    DiscriminativeAlone,
    ReconstructiveAlone,
    rectangle_masks,
)


def test_rectangles_are_rectangles() -> None:
    masks = rectangle_masks(200, 64, 48, Generator().manual_seed(0))
    assert ((masks == 0) | (masks == 1)).all()
    coverage = masks.mean(dim=(1, 2))
    assert 0.02 < coverage.mean() < 0.3
    single = masks[(masks.amax(2).sum(1) * masks.amax(1).sum(1)) == masks.sum((1, 2))]
    assert len(single) > 10, "images with one rectangle: their area is height times width"


def test_the_discriminative_network_alone_gets_no_reconstruction() -> None:
    model = DiscriminativeAlone(4, 4)
    image = torch.rand(2, 3, 32, 32)
    output = model(image)
    assert torch.equal(output.reconstruction, image)
    output.logits.sum().backward()
    assert all(p.grad is None for p in model.reconstructive.parameters())
    assert all(p.grad is not None for p in model.discriminative.parameters())


def test_the_reconstruction_alone_is_hot_where_it_differs() -> None:
    model = ReconstructiveAlone(4, 4)
    image = torch.full((1, 3, 64, 64), 0.5)
    model.reconstructive.forward = lambda x: torch.full_like(x, 0.5)  # type: ignore[method-assign]
    spotted = image.clone()
    spotted[..., 20:30, 40:50] = 0.9
    with torch.no_grad():
        clean = model.eval().heatmap(image)
        heat = model.heatmap(spotted)
    assert heat.shape == (1, 64, 64)
    assert clean.max() < 1e-3
    assert heat[0, 20:30, 40:50].min() > 0.05
    assert heat[0, :10].max() < 1e-3


def test_variants_change_what_they_say() -> None:
    usual = Simulation(procedural)
    white = torch.ones(40, 3, 32, 32)

    def changed(name: str) -> torch.Tensor:
        made = PIXELS[name].change(usual)(white, Generator().manual_seed(1))
        return made.images[made.mask[:, None].expand(-1, 3, -1, -1) > 0]

    plain = PIXELS["plain colours"].change(usual)
    assert plain.textures is plain_colours
    colours = plain.textures(8, 16, 16, Generator().manual_seed(2)).flatten(2)
    assert (colours.amax(2) == colours.amin(2)).all(), "one colour an image"
    assert colours[:, :, 0].std(0).min() > 0.1, "and another for each"
    assert not torch.equal(changed("fixed opacity"), changed("full"))
    for name, jitter in (("fixed opacity", True), ("no augmentation", False)):
        made = PIXELS[name].change(usual)
        assert (made.opacity, made.jitter) == ((1, 1), jitter)
    assert PIXELS["rectangles"].change(usual).masks == {rectangle_masks: 1.0}


def test_the_command_prints_its_figures_beside_the_papers_and_is_resumable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "set"
    write_parts(root / "train/good", 16, seed=1)
    write_parts(root / "test/good", 4, seed=2)
    write_masks(root, write_parts(root / "test/scratch", 4, seed=3, defective=True))
    words = ("ablate", str(root), "--network", "pixels", "--input", "32", "--widths", "4/4",
             "--batch", "2", "--steps", "3", "--json")  # fmt: skip
    first = draem_in_process(*words, "--only", "reconstruction alone", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    caplog.clear()
    with caplog.at_level("INFO"):
        both = ("--only", "reconstruction alone,discriminative alone")
        again = draem_in_process(*words, *both, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "'discriminative alone'" in caplog.text
    assert "'reconstruction alone'" not in caplog.text, "its figures are kept"
    rows = [json.loads(line) for line in again.stdout.splitlines()]
    assert [row["variant"] for row in rows] == ["reconstruction alone", "discriminative alone"]
    assert rows[0] == json.loads(first.stdout)
    assert rows[0]["published"] == {"image_auroc": 83.9, "pixel_auroc": 89.7, "pixel_ap": 47.5}
    assert 0 <= rows[1]["pixel_ap"] <= 100
    other = draem_in_process(*words, "--seed", "1", "--only", "rectangles", cwd=tmp_path)
    assert other.returncode == 2
    assert "--restart" in other.stderr
    kept = json.loads((tmp_path / "runs/ablation/ablation.json").read_text())
    assert len(kept["rows"]) == 2, "hours of another ablation are not discarded without --restart"
    unknown = draem_in_process(*words, "--only", "everything", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "rectangles" in unknown.stderr


def test_variants_of_the_features_network_are_trained(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_parts(root / "train/good", 16, seed=1)
    write_parts(root / "test/good", 4, seed=2)
    write_masks(root, write_parts(root / "test/scratch", 4, seed=3, defective=True))
    names = ["full", "discriminative alone", "reconstruction alone", "score of one pixel"]
    assert set(names) < set(FEATURES)
    done = draem_in_process(
        "ablate", str(root), "--input", "64", "--widths", "4/8", "--batch", "2", "--steps", "3",
        "--json", "--only", ",".join(names), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["variant"] for row in rows] == names
    assert len({row["pixel_ap"] for row in rows}) == len(names) - 1, (
        "each is another training, but the score's window changes no pixel"
    )
    assert rows[0]["published"] == {"image_auroc": None, "pixel_auroc": None, "pixel_ap": None}
