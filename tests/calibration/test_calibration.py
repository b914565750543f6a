"""`draem calibrate`: a new version from frames that training did not see."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from calibration.threshold.held_out import check_marks
from calibration.threshold.scored_frames import judge_frames
from edge.base.errors import ImageError
from edge.base.files import digest
from edge.camera.simulated.renderer import PartRenderer
from edge.engine import runtimes
from edge.engine.plan import drop_other_precisions, read_plan, store_plan
from edge.events.codes import Code
from edge.product.product import load_product
from edge.station.event_headers import lost_part
from edge.vision.near_duplicates import part_numbers
from tests.conftest import Plant, draem, write_parts
from tests.support.commands import draem_in_process


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


def test_calibration_counts_a_part_once(calibrated: Plant) -> None:
    line, rng = PartRenderer("moulded", 5), np.random.default_rng(0)
    parts = [line.part(i).image for i in range(12)]
    again = [np.clip(p + rng.normal(0, 3, p.shape), 0, 255).astype(np.uint8) for p in parts]
    assert part_numbers([*parts, *again]).tolist() == [*range(12), *range(12)]


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


def test_a_calibration_keeps_the_engine_that_it_went_through(plant: Plant, tmp_path: Path) -> None:
    """Also in a reduced precision: here the float32 plan under the key of one."""
    shutil.copytree(plant.products, tmp_path / "products", symlinks=True)
    write_parts(tmp_path / "good", 8, seed=4)
    product = load_product(tmp_path / "products", "lid")
    old = read_plan(product, runtimes.plan_key(product, "openvino"))
    key = old.record.key.model_copy(update={"precision": "int8"})
    store_plan(product, old._replace(record=old.record.model_copy(update={"key": key})))
    drop_other_precisions(product, key)
    words = ("calibrate", "--product", "lid", "--images", "good", "--each-frame")
    done = draem_in_process(*words, "--flavour", "openvino", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = load_product(tmp_path / "products", "lid")
    assert made.version != product.version
    assert runtimes.proven_plan(made, "openvino").record.key == key
    runtimes.load(made, "openvino").close()


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
    assert made.calibration.roi_shares.keys() == made.calibration.frames.keys()
    assert max(made.calibration.roi_shares.values()) == max(made.calibration.scores)
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
            judge_frames(
                engine, product.fit, twice, None, "", window=3, each_a_part=each, folder=tmp_path
            )
            for each in (True, False)
        ]
    assert [len(one.of_parts(one.scores)) for one in judged] == [6, 3]
