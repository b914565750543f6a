"""Releases: sealed versions do not change, only ready ones run, rollback finds what ran before."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.release.lifecycle import activate, rollback, seal
from deploy.release.signing import make_key
from edge.base.errors import EngineError, ProductError
from edge.product.activation_log import ACTIVATIONS, activations, intend
from edge.product.product import load_product, read_version, versions
from edge.product.versions import changing, current_version, new_version, offer
from tests.support.release_files import build, make, released


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


def test_a_release_with_an_invalid_seal_is_refused(tmp_path: Path) -> None:
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
    with pytest.raises(ProductError, match="already signed with another key"):
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
    assert not activate(product.path), "it is already current"
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
    """Roll back; the version that is current then."""
    left, product = rollback(folder.parent, "lid")
    assert left != product.version == current_version(folder)
    return product.version


def test_a_release_rolls_back_step_by_step(four: Path) -> None:
    assert [back(four), back(four)] == ["2", "1"]
    with pytest.raises(ProductError, match="nothing is known to have run before version 1"):
        back(four)
    activate(four / "4")
    assert back(four) == "1"


def test_a_release_that_never_became_current_is_not_rolled_back_to(four: Path) -> None:
    """Killed between the line in the history and the symlink."""
    intend(four, "activate", "3", "4")
    assert back(four) == "2"
    intend(four, "rollback", "2", "1")
    activate(four / "4")
    assert back(four) == "2"
    assert back(four) == "1"


def test_an_activation_that_was_not_carried_out_does_not_make_rollback_a_circle(four: Path) -> None:
    released(four.parent, b"5")
    activate(four / "5")
    intend(four, "activate", "5", "3")
    assert back(four) == "3"
    assert back(four) == "2", "not to 5, from where 3 was never activated"


def test_a_torn_line_in_the_history_of_releases_is_ignored(
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


def test_a_release_that_cannot_run_is_not_rolled_back_to(four: Path) -> None:
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
    assert offer(second), "before the first release it does"
    assert current_version(tmp_path / "lid") == "2"
    seal(second.path)
    third = make(tmp_path, b"3")
    assert not offer(third)
    assert current_version(tmp_path / "lid") == "2"
    assert "'draem release seal 3 --product lid', then 'draem release activate" in caplog.text


def test_a_draft_of_a_running_process_is_kept(tmp_path: Path) -> None:
    """And those of processes that have ended are removed, whatever their number was."""
    dead = tmp_path / "lid" / ".draft.1"
    (dead / "calibration").mkdir(parents=True)
    with new_version(tmp_path, "lid") as draft:
        assert not dead.exists()
        (draft / "file").write_text("x")
        make(tmp_path)
        assert (draft / "file").exists()
    assert versions(tmp_path, "lid") == [1]
    assert not list((tmp_path / "lid").glob(".draft.*"))


def test_a_release_does_not_wait_for_another(tmp_path: Path) -> None:
    product = make(tmp_path)
    with changing(tmp_path / "lid"):
        with pytest.raises(ProductError, match=r"somebody else .* \(process \d+\)"):
            seal(product.path)
        assert read_version(product.path).seal is None
