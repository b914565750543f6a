"""Thresholds that keep their promise, ranges that notice a dead lamp, frames nobody trained on."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from calibration.threshold.held_out import check_marks
from calibration.threshold.limits import doubled, smallest_area, widened
from calibration.threshold.quantiles import (
    Costs,
    balanced_threshold,
    escapes,
    parts_needed,
    score_threshold,
)
from calibration.threshold.scored_frames import judge_frames
from edge.base.errors import ImageError
from edge.base.files import digest
from edge.camera.simulated.renderer import PartRenderer
from edge.engine import runtimes
from edge.events.event import Code
from edge.product.product import load_product
from edge.station.event_headers import lost_part
from edge.vision.near_duplicates import part_numbers
from tests.conftest import Plant, draem, write_parts


def test_the_false_reject_rate_is_kept_on_average() -> None:
    """Split conformal prediction promises exactly this, whatever the distribution."""
    rng = np.random.default_rng(0)
    for rate, count in ((0.05, 60), (0.01, 300), (0.005, 50)):
        rejected = []
        for _ in range(400):
            scores = rng.beta(2, 20, size=count)
            threshold = score_threshold(scores, rate)
            rejected.append((rng.beta(2, 20, size=2000) >= threshold.value).mean())
        promised = threshold.expected
        assert np.mean(rejected) <= promised * 1.15, (rate, count)
        assert promised <= max(rate, 1 / (count + 1)) + 1e-9


def test_a_good_frame_at_its_own_threshold_is_not_rejected() -> None:
    scores = np.array([0.1, 0.3, 0.2], np.float32).astype(np.float64)
    assert score_threshold(scores, 0.01).value > 0.3


def test_a_range_holds_its_values_and_not_a_dead_lamp() -> None:
    brightness = widened([95.0, 100.0, 105.0])
    assert brightness.contains(90)
    assert not brightness.contains(5)
    assert not brightness.contains(float("nan"))
    assert widened([7.0, 7.0]).contains(7.5)
    sharpness = doubled([400.0, 500.0])
    assert sharpness.contains(900)
    assert not sharpness.contains(150)


@pytest.mark.parametrize("values", [[0.0, 5.0], [10.0, 25.0, 40.0], [1.0, 100.0]])
def test_no_range_holds_darkness(values: list[float]) -> None:
    """However much good frames vary, a black picture is none of them."""
    if min(values) == 0:
        for make in (widened, doubled):
            with pytest.raises(ImageError, match="lamp and lens"):
                make(values)
    else:
        assert not widened(values).contains(0)
        assert not doubled(values).contains(0)


def test_a_defect_among_the_good_frames_cannot_open_the_gate() -> None:
    """A score of 1 in 40 would make a threshold that nothing reaches."""
    with pytest.raises(ImageError, match="nothing could be rejected"):
        score_threshold(np.array([0.1] * 40 + [1.0]), 0.005)


@pytest.mark.parametrize(("count", "rate"), [(199, 0.005), (99, 0.01), (19, 0.05), (999, 0.001)])
def test_just_enough_frames_are_enough(count: int, rate: float) -> None:
    scores = np.linspace(0.1, 0.2, count)
    assert score_threshold(scores, rate).expected <= rate + 1e-9


def test_calibration_is_a_new_version_with_hard_links(calibrated: Plant) -> None:
    trained, new = load_product(calibrated.products, "lid", "1"), calibrated.product
    assert new.calibration is not None
    assert new.version != trained.version
    assert new.model_path.stat().st_ino == trained.model_path.stat().st_ino
    assert len(new.calibration.scores) == 40
    assert len(list((new.path / "calibration").glob("*.png"))) == 40
    assert "calibration/000.png" in new.manifest.files
    assert not any("engines" in name for name in new.manifest.files)


def test_images_that_training_saw_are_left_out(plant: Plant, tmp_path: Path) -> None:
    good = tmp_path / "good"
    paths = write_parts(good, 12, seed=2)
    from edge.product.manifest import MANIFEST

    copied = shutil.copytree(plant.product.path, tmp_path / "products" / "lid" / "1")
    seen = [{"sha256": digest(p), "path": str(p), "split": "train"} for p in paths[:4]]
    (copied / "sources.json").write_text(json.dumps({"images": seen}))
    manifest = json.loads((copied / MANIFEST).read_text())
    manifest["files"]["sources.json"] = digest(copied / "sources.json")
    (copied / MANIFEST).write_text(json.dumps(manifest))
    words = ("calibrate", "--product", "lid", "--images", str(good), "--version", "1")
    done = draem(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 images left out" in done.stderr
    assert "are needed" in done.stderr, "8 frames cannot promise 0.5 %"
    made = load_product(tmp_path / "products", "lid")
    assert made.calibration is not None
    assert len(made.calibration.scores) == 8


def test_a_product_without_images_says_what_to_add(plant: Plant) -> None:
    done = draem("calibrate", "--product", "lid", "--version", "1", cwd=plant.root)
    assert done.returncode == 2
    assert "--images" in done.stderr


Population = Callable[[np.random.Generator, int], NDArray[np.float64]]


def populations(real: list[float]) -> list[tuple[Population, Callable[[float], float]]]:
    """Ways to draw good scores, each with the true share at or above a threshold."""
    resampled = np.array(real)
    return [
        (lambda rng, n: rng.beta(2, 20, n), lambda t: float(stats.beta.sf(t, 2, 20))),
        (lambda rng, n: rng.uniform(0, 0.9, n), lambda t: max(0.0, 1 - t / 0.9)),
        (
            lambda rng, n: np.minimum(rng.lognormal(-3, 1, n), 0.99),
            lambda t: float(stats.lognorm.sf(t, 1, scale=np.exp(-3))) if t <= 0.99 else 0.0,
        ),
        (lambda rng, n: rng.choice(resampled, n), lambda t: float((resampled >= t).mean())),
    ]


@pytest.mark.parametrize(("count", "rate"), [(40, 0.05), (150, 0.01), (700, 0.005)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_calibration_bounds_hold_as_often_as_they_say(
    calibrated: Plant, count: int, rate: float, confidence: float
) -> None:
    """200 calibrations of each population: the true rate passes its bound no more often."""
    assert calibrated.product.calibration is not None
    allowed = stats.binom.ppf(0.999, 200, 1 - confidence)
    for number, (draw, true_rate) in enumerate(populations(calibrated.product.calibration.scores)):
        rng = np.random.default_rng((count, number))
        broken = 0
        for _ in range(200):
            made = score_threshold(draw(rng, count), rate, confidence)
            broken += true_rate(made.value) > made.bound
        assert broken <= allowed, (number, broken)


def test_calibration_bounds_are_no_wider_than_they_must_be() -> None:
    """A bound that is never passed would say nothing: a fifth of 80 % bounds is."""
    rng = np.random.default_rng(1)
    made = [score_threshold(rng.uniform(0, 0.9, 150), 0.01, 0.8) for _ in range(400)]
    broken = np.mean([1 - t.value / 0.9 > t.bound for t in made])
    assert 0.14 < broken < 0.26


def test_calibration_by_costs_keeps_its_bounds() -> None:
    """The threshold is chosen by looking at both kinds of parts, and still the bounds hold."""
    rng, costs = np.random.default_rng(2), Costs(reject=1, escape=50, bad_share=0.02)
    broken = Counter[str]()
    for _ in range(200):
        good, bad = rng.beta(2, 12, 80), rng.beta(5, 8, 40)
        made = balanced_threshold(good, bad, costs)
        missed = escapes(bad, made.value, 1 - 0.05 / len(good))
        broken["rejects"] += stats.beta.sf(made.value, 2, 12) > made.bound
        broken["escapes"] += stats.beta.cdf(made.value, 5, 8) > missed.bound
    assert max(broken.values(), default=0) <= stats.binom.ppf(0.999, 200, 0.05)


def test_calibration_by_costs_follows_the_costs() -> None:
    rng = np.random.default_rng(3)
    good, bad = rng.beta(2, 12, 300), rng.beta(5, 8, 100)
    dear, cheap = (balanced_threshold(good, bad, Costs(1, e, 0.05)) for e in (1000, 1))
    assert dear.value < cheap.value
    assert (bad < dear.value).sum() < (bad < cheap.value).sum()
    assert dear.expected > cheap.expected


def test_calibration_says_how_many_parts_are_needed() -> None:
    for rate, confidence in ((0.01, 0.95), (0.005, 0.9), (0.05, 0.99)):
        expected, bound = parts_needed(rate, confidence)
        scores = np.linspace(0.1, 0.2, bound)
        assert score_threshold(scores[:expected], rate).expected <= rate + 1e-9
        assert score_threshold(scores[: expected - 1], rate).expected > rate
        assert score_threshold(scores, rate, confidence, promise=True).bound <= rate
        assert score_threshold(scores[:-1], rate, confidence, promise=True).bound > rate


def test_escapes_have_the_bound_of_the_tables() -> None:
    """None of 59 is 5 % with 95 % confidence: the figure of every sampling plan."""
    none = escapes(np.full(59, 0.9), 0.5)
    assert (none.missed, none.bad) == (0, 59)
    assert none.bound == pytest.approx(0.0495, abs=1e-4)
    all_of_them = escapes(np.full(5, 0.1), 0.5)
    assert (all_of_them.missed, all_of_them.bound) == (5, 1.0)


def test_calibration_counts_a_part_once(calibrated: Plant) -> None:
    line, rng = PartRenderer("moulded", 5), np.random.default_rng(0)
    parts = [line.part(i).image for i in range(12)]
    again = [np.clip(p + rng.normal(0, 3, p.shape), 0, 255).astype(np.uint8) for p in parts]
    assert part_numbers([*parts, *again]).tolist() == [*range(12), *range(12)]


def test_smallest_area_is_more_than_good_parts_show() -> None:
    heatmaps = np.zeros((200, 32, 32), np.float32)
    for i in range(200):
        heatmaps[i, 0, : i // 10] = 0.9  # regions of 0 to 19 pixels
    assert smallest_area(heatmaps, 0.5, 0.005) == 20
    assert smallest_area(heatmaps, 0.5, 0.5) == 11
    assert smallest_area(heatmaps, 0.95, 0.005) == 1


def test_calibration_with_bad_parts_tells_escapes_and_shows_them(
    calibrated: Plant, tmp_path: Path
) -> None:
    """A station of its own: bad parts marked on the line, with their provenance."""
    shutil.copytree(calibrated.products, tmp_path / "products", symlinks=True)
    write_parts(tmp_path / "good", 30, seed=4)
    (one, *_) = write_parts(tmp_path / "missed", 10, seed=5, defective=True)
    header = lost_part(7, Code.PAUSED, calibrated.product).model_copy(update={"station": "press-4"})
    one.with_suffix(".json").write_text(header.model_dump_json())
    words = ("calibrate", "--product", "lid", "--images", "good", "--bad", "missed")
    done = draem(*words, "--false-reject-rate", "0.05", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 10 bad parts; at most" in done.stderr
    made = load_product(tmp_path / "products", "lid")
    assert made.calibration is not None
    assert made.calibration.escapes is not None
    assert made.calibration.escapes.bad == 10
    page = (made.path / "calibration.html").read_text()
    assert "10" in page
    assert 'src="http' not in page
    assert 'href="http' not in page, "it needs no other file"
    assert page.count("<img") == 12 + 10
    rows = json.loads((made.path / "sources.json").read_text())["images"]
    assert Counter(r["split"] for r in rows) == {"calibration": 30, "bad": 10}
    (marked,) = [r["marked"] for r in rows if "marked" in r]
    assert (marked["as"], marked["station"]) == ("missed", "press-4")
    done = draem(*words, "--costs", "1:1000:0.5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    dear = load_product(tmp_path / "products", "lid").calibration
    assert dear is not None
    assert dear.threshold <= made.calibration.threshold


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--false-reject-rate", "2"), "between 0 and 1"),
        (("--costs", "1:2:0.1"), "add --bad"),
        (("--costs", "1:2"), "REJECT:ESCAPE:BAD-SHARE"),
        (("--images", "nowhere"), "does not exist"),
    ],
)
def test_calibration_refuses_what_it_cannot_do(
    calibrated: Plant, words: tuple[str, ...], says: str
) -> None:
    done = draem("calibrate", "--product", "lid", *words, cwd=calibrated.root)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_calibration_of_two_regions_of_interest_runs(calibrated: Plant, tmp_path: Path) -> None:
    """From `calibrate --geometry` to a verdict that names the region which decided."""
    shutil.copytree(calibrated.products, tmp_path / "products", symlinks=True)
    write_parts(tmp_path / "good", 30, seed=4)
    write_parts(tmp_path / "bad", 12, seed=5, defective=True)
    regions = {
        "left": [(20, 20), (160, 20), (160, 220), (20, 220)],
        "right": [(160, 20), (300, 20), (300, 220), (160, 220)],
    }
    geometry = {"frame": [320, 240], "mm_per_pixel": 0.5, "regions_of_interest": regions}
    (tmp_path / "geometry.json").write_text(json.dumps(geometry))
    words = ("calibrate", "--product", "lid", "--images", "good", "--bad", "bad")
    done = draem(*words, "--geometry", "geometry.json", "--false-reject-rate", "0.1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "(left), " in done.stderr
    made = load_product(tmp_path / "products", "lid")
    assert made.calibration is not None
    assert made.calibration.roi_thresholds.keys() == regions.keys()
    assert max(made.calibration.scores) <= 2
    assert "region left" in (made.path / "calibration.html").read_text()
    told = draem("inspect", "bad", "--product", "lid", "--json", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    rows = [json.loads(row) for row in told.stdout.splitlines()]
    for row in rows:
        assert (row["verdict"] == "NG") == (row["score"] >= row["threshold"])
        assert row["threshold"] in made.calibration.roi_thresholds.values()
    missed = sum(row["verdict"] == "OK" for row in rows)
    assert made.calibration.escapes is not None
    assert missed == made.calibration.escapes.missed, "calibrate and the line agree"
    found = [region for row in rows for region in row["regions"]]
    assert all(region["area_mm2"] > 0 for region in found)
    both = draem(*words, "--geometry", "geometry.json", "--costs", "1:9:0.1", cwd=tmp_path)
    assert "leave one of them out" in both.stderr


def test_calibration_with_a_promise_keeps_it() -> None:
    """The true rate passes the rate itself no more often than stated, with some parts to spare."""
    rng, broken = np.random.default_rng(5), 0
    for _ in range(200):
        made = score_threshold(rng.uniform(0, 0.9, 700), 0.01, 0.9, promise=True)
        assert made.bound <= 0.01
        broken += 1 - made.value / 0.9 > 0.01
    assert 4 < broken <= stats.binom.ppf(0.999, 200, 0.1)


def test_calibration_takes_no_marked_defect_for_good(tmp_path: Path, calibrated: Plant) -> None:
    header = lost_part(7, Code.PAUSED, calibrated.product)
    good, bad = tmp_path / "false-reject", tmp_path / "missed"
    for folder, seed in ((good, 1), (bad, 2)):
        for path in write_parts(folder, 2, seed=seed):
            path.with_suffix(".json").write_text(header.model_dump_json())
    plain = write_parts(tmp_path / "plain", 2, seed=3)
    marked_good, marked_bad = sorted(good.glob("*.png")), sorted(bad.glob("*.png"))
    with pytest.raises(ImageError, match="marked as missed"):
        check_marks([*plain, *marked_bad], [])
    with pytest.raises(ImageError, match="marked as false-reject"):
        check_marks(plain, marked_good)
    with pytest.raises(ImageError, match="leave one out"):
        check_marks(plain, plain[:1])
    check_marks([*plain, *marked_good], marked_bad)


def test_each_bad_frame_counts_for_itself(calibrated: Plant, tmp_path: Path) -> None:
    """One frame decides on the line: a part seen twice escapes if one of them is missed."""
    paths = write_parts(tmp_path / "bad", 3, seed=9, defective=True)
    twice = [*paths, *(path.with_name(f"again_{path.name}") for path in paths)]
    for path, again in zip(paths, twice[3:], strict=True):
        shutil.copyfile(path, again)
    product = calibrated.product
    with runtimes.load(product) as engine:
        judged = [
            judge_frames(engine, product.fit, twice, None, "", window=3, each_a_part=each)
            for each in (True, False)
        ]
    assert [len(one.of_parts(one.scores)) for one in judged] == [6, 3]
