"""The study's book-keeping: nothing is measured twice, tables and plot tell the same."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import FIT, write_parts
from trainer.network.model import Draem
from trainer.simulation.textures import procedural
from trainer.studies import plans, results_file, score_windows, study, tables
from trainer.studies.plans import PLANS, SETS, WIDTHS, Run
from trainer.training.checkpoint import TrainingError
from trainer.training.save_product import Trained, save_product


def rows() -> list[dict[str, object]]:
    """Made-up figures of a whole width study."""
    made: list[dict[str, object]] = []
    for i, widths in enumerate(WIDTHS):
        made.append({"study": "times", "product": f"times_{widths}", "widths": widths,
                     "figure": tables.TIME, "value": 100 / (i + 1)})  # fmt: skip
        for data in SETS:
            run = Run("widths", data, widths, 15, "paper")
            common = {"study": "widths", "product": run.product, "data": data, "widths": widths}
            made.append(common | {"seed": 0, "steps": 9, "figure": "image AUROC", "value": 0.5})
            made.append(common | {"seed": 0, "steps": 9, "figure": "pixel AP", "value": 0.25})
    return made


def grouped(made: list[dict[str, object]]) -> list[list[dict[str, object]]]:
    names = dict.fromkeys(row["product"] for row in made)
    return [[row for row in made if row["product"] == name] for name in names]


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "results.json"
    monkeypatch.setattr(results_file, "RESULTS", path)
    for room in (study, results_file, plans):
        monkeypatch.setattr(room, "WORK", tmp_path)
    return path


def test_a_run_that_has_figures_is_left_out(book: Path) -> None:
    run = PLANS["widths"][0]
    assert not study.measured(run)
    for run_rows in grouped(rows()):
        results_file.append(run_rows)
    assert study.measured(run)
    assert not study.measured(PLANS["targets"][0])
    assert not study.measured(replace(run, options=("--rotation", "180"))), "that is another run"
    results_file.append([{"product": "another", "figure": "image AUROC", "value": 1.0}])
    results_file.append([{"product": "another", "figure": "image AUROC", "value": 0.5}])
    assert len(json.loads(book.read_text())) == len(rows()) + 1, "measured anew, not twice"


def test_a_run_that_was_trained_elsewhere_is_told_with_its_own_steps(
    book: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However many steps fit by today's clock: what is written must repeat what was trained."""
    run = PLANS["targets"][0]
    made = tmp_path / "products" / run.product / "current"
    made.mkdir(parents=True)
    origin = {"steps": 77, "seconds": 5, "rotation": 180}
    about = {"height": 128, "width": 128, "score_window": 3, "origin": origin}
    (made / "manifest.json").write_text(json.dumps(about))
    asked: list[str] = []
    pixels = dict.fromkeys(("ap", "ap_as_authors", "auroc", "aupro"), 0.5)
    found = json.dumps({"image_auroc": 0.9, "pixels": pixels, "by_defect": {}})

    def draem(*words: str) -> str:
        asked.append(words[0])
        return found

    monkeypatch.setattr(study, "draem", draem)
    assert study.started(run)
    rows = study.carry_out(run, None)
    assert asked == ["build", "evaluate"], "it is not trained again"
    assert {str(row["command"]).split("--steps ")[1] for row in rows} == {"77"}
    assert "--rotation 180" in str(rows[0]["command"])
    (made / "manifest.json").write_text(json.dumps(about | {"origin": origin | {"rotation": 0}}))
    with pytest.raises(TrainingError, match="rotation 0: remove it"):
        study.carry_out(run, None)
    assert asked == ["build", "evaluate"], "nothing is measured of it"
    assert not study.started(PLANS["targets"][1])


def test_missing_images_are_said(
    book: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DATA", str(tmp_path / "nowhere"))
    monkeypatch.setattr(study, "WORK", tmp_path / "work")
    assert study.main(["widths"]) == 2
    assert "set DATA" in capsys.readouterr().err


def test_the_table_has_a_line_for_each_run_and_the_plot_every_width(tmp_path: Path) -> None:
    table = tables.table(rows(), "widths").splitlines()
    assert len(table) == 2 + len(SETS) * len(WIDTHS)
    assert table[2] == "| mvtec_bottle | 64/32 | 0 | 9 | 0.5000 | 0.2500 | - | - | - |"
    tables.plot(rows(), tmp_path / "widths.svg")
    text = (tmp_path / "widths.svg").read_text()
    assert text.startswith("<svg")


def test_the_books_figures_are_objects_with_command_machine_and_date() -> None:
    for row in results_file.results():
        assert {"figure", "value", "command", "machine", "date"} <= row.keys()


def test_each_window_is_judged_on_images_that_the_training_never_saw(
    model: Draem,
    good_frames: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = tmp_path / "good"
    write_parts(images, 20, seed=3)
    origin: dict[str, str | int | float | bool | None] = {"images": str(images), "seed": 0}
    trained = Trained(model, FIT, good_frames[:8], procedural, 0, {"images": []}, origin)
    save_product(trained, tmp_path / "products", "lid", tmp_path / "runs")
    monkeypatch.setattr(score_windows, "WORK", tmp_path)
    assert score_windows.main(["lid"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.endswith(": 1 3 5 7 11 15 21")
    assert [row.split(":")[0] for row in rows] == ["lid, mixture", "lid, textures"]
    mixture, textures = ([float(rate) for rate in row.split(":")[1].split()] for row in rows)
    assert len(textures) == 7
    assert np.mean(textures) > np.mean(mixture) > 0.5, "textures are what it was trained on"
