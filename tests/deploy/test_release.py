"""Releases: sealed versions stay as they are, only ready ones run, and there is a way back."""

import codecs
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.release.lifecycle import activate, export, import_release, rollback, seal
from deploy.release.listing import difference, rows, table
from deploy.release.signing import make_key
from edge.base.errors import DraemError, EngineError, ProductError
from edge.base.files import digest, write_json
from edge.product.activation_log import ACTIVATIONS, activations, log_activation
from edge.product.product import Product, load_product, read_version, versions
from edge.product.versions import (
    activate_unless_released,
    current_version,
    finish_version,
    new_version,
    release_lock,
)
from tests.support.forge import Forge
from tests.support.minimal_station import PRODUCT
from tests.support.release_files import MANIFEST, build, make


def released(products: Path, model: bytes) -> Product:
    """Sealed and built."""
    product = make(products, model)
    seal(product.path)
    build(product)
    return read_version(product.path)


def test_a_sealed_release_is_read_only_and_can_still_be_built(tmp_path: Path) -> None:
    product = make(tmp_path)
    seal(product.path)
    for path in product.path.rglob("*"):
        assert not path.stat().st_mode & 0o222, path
    assert product.path.stat().st_mode & 0o200
    build(product)
    assert list(product.engines.iterdir())
    assert read_version(product.path).seal


def test_a_release_whose_manifest_is_altered_is_refused(tmp_path: Path) -> None:
    """Also where the altered file fits the altered manifest."""
    path = make(tmp_path).path
    seal(path)
    for field, value in (("created", "2027-01-01"), ("rec_width", 9), ("origin", {"a": 1})):
        file = path / "manifest.json"
        good = file.read_text()
        file.chmod(0o644)
        file.write_text(json.dumps(json.loads(good) | {field: value}))
        with pytest.raises(ProductError, match="not the one that was sealed"):
            load_product(tmp_path, "lid")
        file.write_text(good)
    assert load_product(tmp_path, "lid").seal


def test_a_release_whose_seal_is_rubbish_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path).path
    for text in ("", "{}", '{"content": "x", "sealed": "2026"}'):
        (path / "seal.json").write_text(text)
        with pytest.raises(ProductError, match=r"seal\.json cannot be read"):
            load_product(tmp_path, "lid")


def test_sealing_a_release_again_changes_nothing_but_adds_a_signature(tmp_path: Path) -> None:
    path = make(tmp_path / "products").path
    first = seal(path)
    assert seal(path) == first
    key, _ = make_key(tmp_path, "plant")
    signed = seal(path, key)
    assert (signed.content, signed.sealed) == (first.content, first.sealed)
    assert signed.signature
    assert seal(path, key) == seal(path) == signed
    other, _ = make_key(tmp_path, "other")
    with pytest.raises(ProductError, match="signed already, with another key"):
        seal(path, other)
    assert read_version(path).seal == signed


def test_only_a_calibrated_sealed_and_built_release_is_activated(tmp_path: Path) -> None:
    """Each refusal names the command that is missing."""
    make(tmp_path)
    bare = make(tmp_path, b"2", calibrated=False)
    with pytest.raises(ProductError, match="'draem calibrate --product lid --version 2'"):
        activate(bare.path)
    product = make(tmp_path, b"3")
    with pytest.raises(ProductError, match="'draem release seal 3 --product lid'"):
        activate(product.path)
    seal(product.path)
    with pytest.raises(EngineError, match="'draem build --product lid --version 3"):
        activate(product.path)
    build(product)
    record = next(product.engines.glob("*.json"))
    good = record.read_text()
    record.write_text(json.dumps(json.loads(good) | {"proven": False}))
    with pytest.raises(EngineError, match=r"'proven'.*'draem build --product lid --version 3"):
        activate(product.path)
    record.write_text(good)
    assert current_version(tmp_path / "lid") == "1"
    assert activate(product.path)
    assert current_version(tmp_path / "lid") == "3"
    assert not activate(product.path), "it is current already"
    assert len(activations(tmp_path / "lid")) == 1


def test_an_altered_release_is_not_activated(tmp_path: Path) -> None:
    make(tmp_path)
    product = released(tmp_path, b"2")
    product.model_path.chmod(0o644)
    product.model_path.write_bytes(b"other")
    with pytest.raises(ProductError, match=r"model\.onnx is not the file"):
        activate(product.path)
    assert current_version(tmp_path / "lid") == "1"


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """The product's folder; four releases, the first three were active in turn."""
    for model in (b"1", b"2", b"3", b"4"):
        released(tmp_path, model)
    for number in "123":
        activate(tmp_path / "lid" / number)
    return tmp_path / "lid"


def back(folder: Path) -> str:
    left, product = rollback(folder.parent, "lid")
    assert left != product.version == current_version(folder)
    return product.version


def test_a_release_rolls_back_step_by_step(four: Path) -> None:
    assert [back(four), back(four)] == ["2", "1"]
    with pytest.raises(ProductError, match="nothing is known to have run before version 1"):
        back(four)
    activate(four / "4")
    assert back(four) == "1"


def test_a_release_that_was_meant_but_never_made_current_is_no_way_back(four: Path) -> None:
    """Killed between the line and the symlink."""
    log_activation(four, "activate", "3", "4")
    assert back(four) == "2"
    log_activation(four, "rollback", "2", "1")
    activate(four / "4")
    assert back(four) == "2"
    assert back(four) == "1"


def test_a_release_that_was_meant_again_does_not_lead_in_a_circle(four: Path) -> None:
    released(four.parent, b"5")
    activate(four / "5")
    log_activation(four, "activate", "5", "3")
    assert back(four) == "3"
    assert back(four) == "2", "not to 5, from where 3 was never activated"


def test_a_torn_line_of_the_releases_is_left_out(
    four: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = four / ACTIVATIONS
    whole = file.read_bytes()
    for cut in range(1, 40, 7):
        file.write_bytes(whole + whole.splitlines()[-1][:-cut])
        assert len(activations(four)) == 2
        assert not caplog.records
        activate(four / "4")
        assert back(four) == "3"
        assert len(file.read_bytes().splitlines()) == 4
    file.write_bytes(b"\xff\x00rubbish\n" + whole)
    assert back(four) == "2"
    assert "line 1 cannot be read" in caplog.text


def test_a_release_is_not_rolled_back_to_what_could_not_run(four: Path) -> None:
    shutil.rmtree(four / "2" / "engines")
    with pytest.raises(EngineError, match="'draem build --product lid --version 2"):
        rollback(four.parent, "lid")
    shutil.rmtree(four / "2")
    with pytest.raises(ProductError, match="has no version '2'"):
        rollback(four.parent, "lid")
    assert current_version(four) == "3"


def test_calibration_does_not_change_what_a_released_line_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    make(tmp_path)
    second = make(tmp_path, b"2")
    assert activate_unless_released(second), "before the first release it does"
    assert current_version(tmp_path / "lid") == "2"
    seal(second.path)
    third = make(tmp_path, b"3")
    assert not activate_unless_released(third)
    assert current_version(tmp_path / "lid") == "2"
    assert "'draem release seal 3 --product lid', then 'draem release activate" in caplog.text


def test_a_release_lists_what_is_here(four: Path) -> None:
    make(four.parent, b"5", calibrated=False)
    (four / "1" / "manifest.json").write_text("{")
    found = list(rows(four, None))
    assert [row.version for row in found if row.current] == ["3"]
    assert [row.engine for row in found] == [False, True, True, True, False]
    assert [row.calibrated for row in found] == [False, True, True, True, False]
    assert [row.seal is not None for row in found] == [False, True, True, True, False]
    assert "cannot be read" in table(found).splitlines()[1]


def test_two_releases_differ_in_what_was_changed(tmp_path: Path) -> None:
    one, other = make(tmp_path), make(tmp_path, b"other")
    bare = make(tmp_path, calibrated=False)
    assert list(difference(one, one)) == []
    manifest = one.path / "manifest.json"
    manifest.write_bytes(codecs.BOM_UTF8 + manifest.read_bytes())
    assert list(difference(one, other)) == ["model.onnx: changed"]
    lines = list(difference(one, bare))
    assert "calibration.threshold: 0.5 -> -" in lines
    assert "calibration/000.png: removed" in lines
    assert "calibration/000.png: added" in list(difference(bare, one))


def test_many_frames_differ_in_one_line(tmp_path: Path) -> None:
    """Two hundred scores, one a line, would hide the threshold among them."""

    def calibrated(count: int) -> Product:
        with new_version(tmp_path, "lid") as draft:
            for name in ("model.onnx", "golden.npz", "sources.json"):
                (draft / name).write_bytes(b"{}")
            frames = {f"{i:03d}.png": i / count for i in range(count)}
            made = PRODUCT.calibration.model_dump() | {"frames": frames}  # type: ignore[union-attr]
            write_json(draft / "calibration.json", made)
            (draft / "calibration").mkdir()
            for name in frames:
                (draft / "calibration" / name).write_bytes(bytes([count]))
            return finish_version(draft, MANIFEST)

    assert list(difference(calibrated(20), calibrated(25))) == [
        "calibration.frames: 20 values -> 25 values",
        "calibration.json: changed",
        "calibration/: 20 files changed",
        "calibration/: 5 files added",
    ]


def test_an_imported_release_keeps_its_number_where_it_can(tmp_path: Path) -> None:
    office, station = tmp_path / "office", tmp_path / "station"
    make(office)
    product = released(office, b"2")
    export(product, tmp_path / "two.draem")
    first, new = import_release(tmp_path / "two.draem", station)
    assert new
    assert first.version == "2"
    assert first.seal == product.seal
    assert not first.engines.exists()
    again, new = import_release(tmp_path / "two.draem", station)
    assert (again.version, new) == ("2", False)
    other = tmp_path / "other"
    for model in (b"a", b"b", b"c"):
        make(other, model)
    third, _ = import_release(tmp_path / "two.draem", other)
    assert third.version == "4"
    assert third.seal == product.seal, "the content is the same under another number"
    assert current_version(other / "lid") == "1", "an import changes nothing that runs"
    for path in third.path.rglob("*"):
        assert not path.stat().st_mode & 0o222, path


def test_an_imported_release_is_not_current_by_itself(tmp_path: Path) -> None:
    """Nor is what is calibrated from it: a station with releases runs what people activate."""
    export(released(tmp_path / "office", b"1"), tmp_path / "one.draem")
    station = tmp_path / "station"
    product, _ = import_release(tmp_path / "one.draem", station)
    with pytest.raises(ProductError, match="'draem release activate 1 --product lid'"):
        load_product(station, "lid")
    make(station, b"2")
    assert current_version(station / "lid") is None
    build(product)
    activate(product.path)
    assert load_product(station, "lid").version == "1"
    with pytest.raises(ProductError, match="nothing is known to have run before"):
        rollback(station, "lid")


def test_a_damaged_version_is_replaced_by_its_release(tmp_path: Path) -> None:
    product = released(tmp_path, b"1")
    export(product, tmp_path / "one.draem")
    product.model_path.chmod(0o644)
    product.model_path.write_bytes(b"x")
    made, new = import_release(tmp_path / "one.draem", tmp_path)
    assert (made.version, new) == ("2", True)


def test_an_unsealed_version_is_no_release_to_carry_away(tmp_path: Path) -> None:
    product = make(tmp_path)
    with pytest.raises(ProductError, match="'draem release seal 1 --product lid'"):
        export(product, tmp_path / "one.draem")
    seal(product.path)
    (tmp_path / "one.draem").write_text("something")
    with pytest.raises(ProductError, match="exists"):
        export(read_version(product.path), tmp_path / "one.draem")
    assert (tmp_path / "one.draem").read_text() == "something"
    with pytest.raises(ProductError, match="nowhere is no folder"):
        export(read_version(product.path), tmp_path / "nowhere" / "one.draem")


def test_a_draft_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    """And those of the dead go, whatever their number was."""
    dead = tmp_path / "lid" / ".draft.1"
    (dead / "calibration").mkdir(parents=True)
    with new_version(tmp_path, "lid") as draft:
        assert not dead.exists()
        (draft / "file").write_text("x")
        make(tmp_path)
        assert (draft / "file").exists()
    assert versions(tmp_path, "lid") == [1]
    assert not list((tmp_path / "lid").glob(".draft.*"))


def test_a_release_waits_for_nobody_but_calibration_does(tmp_path: Path) -> None:
    product = make(tmp_path)
    with release_lock(tmp_path / "lid"):
        with pytest.raises(DraemError, match=r"another process \(\d+\) is changing"):
            seal(product.path)
        assert read_version(product.path).seal is None


def test_the_release_command_tells_each_step(forge: Forge, tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_text('product = "lid"\n')
    make(tmp_path / "products")
    build(make(tmp_path / "products", b"2"))
    for words, says in (
        (("list",), "\n* 1"),
        (("diff", "1", "2"), "model.onnx: changed"),
        (("key", "plant"), "give stations keys/plant.release.pub"),
        (("seal", "--key", "keys/plant.release.key"), "lid version 2 is sealed, signed with"),
        (("activate", "2"), "lid version 2 is current"),
        (("activate", "2"), "next start on; a running one: 'draem switch --product lid'"),
        (("activate", "2"), "is current already"),
        (("export", "2", "--to", "."), "lid-2.draem: 0.0 MB, read back and whole"),
        (("import", "lid-2.draem"), "lid is already here as version 2"),
    ):
        done = forge.run(tmp_path, "release", *words)
        assert done.code == 0, done.text
        assert says in done.text
    (tmp_path / "station.toml").write_text('products = "new"\ntrust = "keys/plant.release.pub"\n')
    done = forge.run(tmp_path, "release", "import", "lid-2.draem")
    assert "'draem build --product lid --version 2'" in done.text
    assert "signed with" in forge.run(tmp_path, "release", "show", "2", "--product", "lid").text


@pytest.mark.parametrize("to", ["sub/", "sub", "media/stick", "media/stick/", "x.draem/", "a.tar"])
def test_an_export_into_a_folder_that_is_missing_writes_no_file_of_its_name(
    forge: Forge, tmp_path: Path, to: str
) -> None:
    """As where a stick is not mounted."""
    (tmp_path / "media").mkdir()
    seal(make(tmp_path / "products").path)
    before = sorted(tmp_path.rglob("*"))
    done = forge.run(tmp_path, "release", "export", "1", "--product", "lid", "--to", to)
    assert done.code == 2
    assert done.text == (
        f"draem: {to.rstrip('/')} is no folder: make it or mount it, or name a file that ends in "
        ".draem\n"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_seal_takes_no_right_from_a_file_outside_of_the_version(
    forge: Forge, tmp_path: Path
) -> None:
    """Neither by a name in the manifest nor by a link."""
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    by_name, by_link = (make(tmp_path / "products", data).path for data in (b"1", b"2"))
    manifest = json.loads((by_name / "manifest.json").read_text())
    manifest["files"]["../../../victim.txt"] = digest(victim)
    (by_name / "manifest.json").write_text(json.dumps(manifest))
    (by_link / "sources.json").unlink()
    (by_link / "sources.json").symlink_to(victim)
    victim.write_bytes(b"{}")
    for version, why in (("1", "is not one that a version's file may have"), ("2", "is a link")):
        done = forge.run(tmp_path, "release", "seal", version, "--product", "lid")
        assert done.code == 2
        assert why in done.text
        assert len(done.text.splitlines()) == 1
    assert victim.stat().st_mode & 0o200


def test_without_the_library_a_release_can_do_all_but_sign(tmp_path: Path) -> None:
    product = make(tmp_path / "products")
    code = "import sys; sys.modules['cryptography'] = None; import draem; sys.exit(draem.main())"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, "release", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    refused = run("key", "plant")
    assert refused.returncode == 2
    assert refused.stderr.startswith("draem: cryptography")
    assert "pip install '.[release]'" in refused.stderr
    assert run("seal", "--product", "lid").returncode == 0
    assert read_version(product.path).seal
