"""`draem train --align`: training, calibration, evaluation and comparison use one alignment."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.threshold.calibrate import Aim, calibrate
from calibration.threshold.scored_frames import judge_frames
from edge.base.errors import ImageError, SettingsError
from edge.engine import Inference
from edge.product.product import load_product
from edge.vision.alignment import LEAST_QUALITY
from edge.vision.fit import Fit
from edge.vision.image_files import write_png
from edge.vision.seen import seen_mask
from tests.support.commands import draem_in_process
from tests.support.minimal_station import MeanEngine, calibrated_for
from tests.support.moved_parts import bracket, gear, motion, photograph
from tests.support.training import ALONE, SMALL, small_settings
from trainer.data.fitted import QUALITY_SHARE
from trainer.data.layout import Sample
from trainer.evaluation.scored_images import ScoredImage, score_all
from trainer.studies import ablation
from trainer.training.job import read_sources
from trainer.training.options import chosen

CROP = (180, 140, 280, 200)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve parts in any pose, and the picture that they are aligned to."""
    root = tmp_path_factory.mktemp("moved")
    (root / "good").mkdir()
    write_png(root / "upright.png", photograph(bracket, seed=99))
    for i in range(12):
        image = photograph(bracket, motion(30 * i, 3 * i - 15, 10 - 2 * i), i)
        write_png(root / f"good/{i:02d}.png", image)
    return root


def mean_is_hot(batch: NDArray[np.uint8]) -> Inference:
    return MeanEngine().infer(batch)


def test_align_training_images_are_upright_and_teach_the_quality(pictures: Path) -> None:
    settings = small_settings(images=pictures / "good", align=pictures / "upright.png", crop=CROP,
                              height=96, width=128)  # fmt: skip
    sources = read_sources(settings)
    upright = replace(settings.fit, aligner=None)(photograph(bracket))[0]
    for image in sources.images:
        assert np.abs(image.astype(int) - upright).mean() < 8
    assert sources.fit.aligner is not None
    assert QUALITY_SHARE * 0.9 < sources.fit.aligner.settings.quality <= QUALITY_SHARE
    fixed = read_sources(settings.model_copy(update={"align_quality": 0.6}))
    assert fixed.fit.aligner is not None
    assert fixed.fit.aligner.settings.quality == 0.6
    digests = {s.training_images().digest for s in (sources, fixed)}
    other = read_sources(settings.model_copy(update={"align_turn": 179.5}))
    assert len(digests | {other.training_images().digest}) == 3, "--resume notices a change"


def test_align_training_names_the_images_without_the_part(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    for path in sorted((pictures / "good").iterdir())[:10]:
        (folder / path.name).write_bytes(path.read_bytes())
    write_png(folder / "wrong.png", photograph(gear))
    settings = small_settings(images=folder, align=pictures / "upright.png", crop=CROP)
    with pytest.raises(ImageError, match=r"1 of 11 images cannot be aligned.*wrong\.png"):
        read_sources(settings)


def test_align_a_reference_that_shows_nothing_is_one_line(tmp_path: Path) -> None:
    write_png(tmp_path / "even.png", np.full((480, 640, 3), 90, np.uint8))
    settings = small_settings(images=tmp_path, align=tmp_path / "even.png")
    with pytest.raises(ImageError, match="cannot be the reference picture"):
        _ = settings.fit


def test_align_limits_need_a_picture() -> None:
    with pytest.raises(SettingsError, match="--align-turn goes with --align PICTURE"):
        chosen({"align_turn": "20"})


def test_align_a_trained_product_judges_moved_parts(pictures: Path, tmp_path: Path) -> None:
    done = draem_in_process(
        "train", str(pictures / "good"), "--product", "lid", *SMALL, "--steps", "1",
        "--validate-every", "1", "--crop", ",".join(map(str, CROP)),
        "--align", str(pictures / "upright.png"), "--align-shift", "0.3", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    product = load_product(tmp_path / "products", "lid", "1")
    assert product.manifest.alignment is not None
    assert product.manifest.alignment.quality > LEAST_QUALITY
    assert "alignment.png" in product.manifest.files
    placement = product.fit(photograph(bracket, motion(77, 12, 5)))[1]
    assert placement.motion is not None
    assert abs(placement.motion.turn - 77) < 1.5
    changed = product.path / "alignment.png"
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    with pytest.raises(Exception, match="SHA-256 differs"):
        load_product(tmp_path / "products", "lid", "1")


def aligned(pictures: Path) -> Fit:
    return small_settings(align=pictures / "upright.png", crop=CROP, height=96, width=128).fit


def test_align_an_evaluation_counts_what_is_not_found_as_rejected(pictures: Path) -> None:
    shown = [("good", photograph(bracket, motion(50))), ("good", photograph(gear)),
             ("bad", photograph(bracket, motion(-20)))]  # fmt: skip
    samples = [
        Sample(path=Path(f"{i}.png"), image=image, defect=None if kind == "good" else "dent",
               truth=None)
        for i, (kind, image) in enumerate(shown)
    ]  # fmt: skip
    calibration = calibrated_for(threshold=0.9).calibration
    scored = score_all(aligned(pictures), mean_is_hot, samples, calibration)
    assert [one.verdict for one in scored] == ["OK", "NO_VERDICT", "OK"]
    assert scored[1].score == 1, "it ranks as the worst"


def test_align_a_calibration_names_the_frame_without_the_part(
    pictures: Path, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "gear.png"), photograph(gear))
    paths = [*sorted((pictures / "good").iterdir())[:2], tmp_path / "gear.png"]
    with pytest.raises(ImageError, match=r"gear\.png: no part is found"):
        judge_frames(
            MeanEngine(), aligned(pictures), paths, None, "",
            window=1, each_a_part=True, folder=tmp_path,
        )  # fmt: skip


class HotBeyondTheFrame(MeanEngine):
    """Hot where a part that is cut by the frame's border has no picture."""

    def __init__(self, seen: NDArray[np.bool_]) -> None:
        self.heatmap = np.where(seen, 0.1, 0.9).astype(np.float32)

    def infer(self, batch: NDArray[np.uint8]) -> Inference:
        return Inference(
            np.full(len(batch), 0.9, np.float32), np.stack([self.heatmap] * len(batch))
        )


def test_align_a_calibration_keeps_the_engines_scores_for_proof_and_drift(
    pictures: Path, tmp_path: Path
) -> None:
    """Both compare them with what the engine says later, which knows nothing of the frame."""
    fit = small_settings(align=pictures / "upright.png", align_shift=0.5, crop=CROP,
                         height=96, width=128).fit  # fmt: skip
    cut = photograph(bracket, motion(90, 0, 115))
    write_png(tmp_path / "cut.png", cut)
    seen = seen_mask(fit(cut)[1])
    assert seen is not None
    paths = [tmp_path / "cut.png"] * 20
    judged = judge_frames(HotBeyondTheFrame(seen), fit, paths, None, "", window=1,
                          each_a_part=True, folder=tmp_path)  # fmt: skip
    made = calibrate(judged, None, Aim(0.2, 0.9, None, promise=False), ["000.png"]).calibration
    assert made.threshold < 0.2
    assert max(made.scores) < 0.2
    assert made.frames == {"000.png": pytest.approx(0.9)}
    assert made.drift is not None
    assert made.drift.low[-1] == pytest.approx(0.9)


def test_align_an_ablation_refuses_what_a_station_would(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its variants are evaluated with the quality that was learned from the images."""
    settings = small_settings(images=pictures / "good", align=pictures / "upright.png", crop=CROP,
                              height=96, width=128, steps=1)  # fmt: skip
    used: list[Fit] = []

    def scored(fit: Fit, *_: object, **__: object) -> list[ScoredImage]:
        used.append(fit)
        raise KeyboardInterrupt

    monkeypatch.setattr(ablation, "train", lambda *_, **__: SimpleNamespace(model=None))
    monkeypatch.setattr(ablation, "torch_engine", lambda *_: MeanEngine())
    monkeypatch.setattr(ablation, "_check_masks", lambda folder: None)
    monkeypatch.setattr(ablation, "samples", lambda folder: [])
    monkeypatch.setattr(ablation, "score_all", scored)
    with pytest.raises(KeyboardInterrupt):
        ablation.ablate(settings, ["full"], tmp_path, ALONE)
    assert used == [read_sources(settings).fit]
    assert used != [settings.fit]
