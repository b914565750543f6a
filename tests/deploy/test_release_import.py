"""Releases carried from station to station, and one that an earlier version of draem sealed."""

import shutil
from pathlib import Path

import pytest

from deploy.engine.build import build as build_engine
from deploy.release.lifecycle import activate, export, import_release, rollback, seal
from deploy.release.signing import check_signature
from edge.base.errors import ProductError
from edge.product.product import load_product, read_version
from edge.product.versions import current_version
from tests.support.release_files import build, make, released

SEALED = Path(__file__).parent / "sealed"
"""Calibrated with regions of interest, sealed and signed by the code of commit 23593c6."""
EXPORTED = "fbd499e66c311db69212ef531223ad6d513942c56bc2fb9a80de520961e4ac49"
"""The last line of the release file that the same code made of it."""


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


def test_only_a_sealed_release_is_exported_and_never_over_a_file(tmp_path: Path) -> None:
    product = make(tmp_path)
    with pytest.raises(ProductError, match="'draem release seal 1 --product lid'"):
        export(product, tmp_path / "one.draem")
    seal(product.path)
    (tmp_path / "one.draem").write_text("something")
    with pytest.raises(ProductError, match="exists"):
        export(read_version(product.path), tmp_path / "one.draem")
    assert (tmp_path / "one.draem").read_text() == "something"
    with pytest.raises(ProductError, match="nowhere is not a folder"):
        export(read_version(product.path), tmp_path / "nowhere" / "one.draem")


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A station with the product that an earlier version sealed."""
    return shutil.copytree(SEALED / "products", tmp_path / "products")


def test_a_release_sealed_by_an_earlier_version_is_read(earlier: Path) -> None:
    product = load_product(earlier, "lid", "newest")
    assert product.seal is not None
    check_signature(product.seal, SEALED / "plant.release.pub")
    assert product.calibration is not None
    assert product.calibration.roi_thresholds.keys() == {"left", "right"}
    assert product.calibration.escapes is not None
    assert product.calibration.drift is not None
    assert len(product.calibration.frames) == 12
    assert product.fit.geometry is not None


def test_a_release_sealed_by_an_earlier_version_builds_and_is_activated(earlier: Path) -> None:
    product = load_product(earlier, "lid", "newest")
    build_engine(product, "openvino")
    assert activate(product.path, "openvino")


def test_a_release_sealed_by_an_earlier_version_is_exported_to_the_same_bytes(
    earlier: Path, tmp_path: Path
) -> None:
    export(load_product(earlier, "lid", "newest"), tmp_path / "lid.draem")
    assert (tmp_path / "lid.draem").read_bytes()[-65:].decode().strip() == EXPORTED
    trust = SEALED / "plant.release.pub"
    product, new = import_release(tmp_path / "lid.draem", tmp_path / "station", trust)
    assert (product.version, new) == ("2", True)
