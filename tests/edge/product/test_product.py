"""The product's folder: whole versions only, altered files refused, numbers never reused."""

import errno
import fcntl
import json
import os
import stat
from pathlib import Path

import pytest

from edge.base.errors import ProductError
from edge.product.manifest import Manifest
from edge.product.product import load_product, versions
from edge.product.versions import finish_version, new_version, set_current

MANIFEST = Manifest(
    name="lid",
    version="0",
    created="2026-01-01",
    height=64,
    width=64,
    interpolation="area",
    crop=None,
    network="pixels",
    backbone=None,
    rec_width=8,
    seg_width=4,
    score_window=3,
    origin={},
    files={},
)


def make(products: Path, model: bytes = b"model") -> Path:
    with new_version(products, "lid") as draft:
        (draft / "model.onnx").write_bytes(model)
        (draft / "golden.npz").write_bytes(b"golden")
        (draft / "sources.json").write_text("{}")
        return finish_version(draft, MANIFEST).path


def test_versions_count_up_and_the_first_is_current(tmp_path: Path) -> None:
    make(tmp_path)
    second = make(tmp_path, b"other")
    assert versions(tmp_path, "lid") == [1, 2]
    assert load_product(tmp_path, "lid").version == "1"
    assert load_product(tmp_path, "lid", "newest").version == "2"
    set_current(second)
    assert load_product(tmp_path, "lid").version == "2"
    assert load_product(tmp_path, "lid", "1").version == "1"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_version(tmp_path, "lid") as draft:
            (draft / "model.onnx").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list((tmp_path / "lid").iterdir()) == []


def test_an_altered_or_truncated_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path)
    for spoil in (b"modem", b"mode", b""):
        (path / "model.onnx").write_bytes(spoil)
        with pytest.raises(ProductError, match=r"model\.onnx is not the file"):
            load_product(tmp_path, "lid")
    (path / "model.onnx").unlink()
    with pytest.raises(ProductError, match="is missing"):
        load_product(tmp_path, "lid")


@pytest.mark.parametrize("text", ["", "{", '{"name": "lid"}', "[]"])
def test_a_broken_manifest_is_one_line(tmp_path: Path, text: str) -> None:
    (make(tmp_path) / "manifest.json").write_text(text)
    with pytest.raises(ProductError, match=r"manifest\.json cannot be read") as caught:
        load_product(tmp_path, "lid")
    assert "\n" not in str(caught.value)


def test_a_newer_manifest_schema_is_refused(tmp_path: Path) -> None:
    file = make(tmp_path) / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"manifest_schema": 9}))
    with pytest.raises(ProductError, match=r"manifest schema 9 .* update it"):
        load_product(tmp_path, "lid")


def test_the_first_manifest_schema_had_the_authors_window(tmp_path: Path) -> None:
    file = make(tmp_path) / "manifest.json"
    older = json.loads(file.read_text()) | {"manifest_schema": 1}
    for name in ("score_window", "network", "backbone"):
        del older[name]
    file.write_text(json.dumps(older))
    assert load_product(tmp_path, "lid").manifest.score_window == 5


def test_the_second_manifest_schema_had_pixels_networks_only(tmp_path: Path) -> None:
    file = make(tmp_path) / "manifest.json"
    older = json.loads(file.read_text()) | {"manifest_schema": 2}
    for name in ("network", "backbone"):
        del older[name]
    file.write_text(json.dumps(older))
    manifest = load_product(tmp_path, "lid").manifest
    assert (manifest.network, manifest.backbone, manifest.score_window) == ("pixels", None, 3)


@pytest.mark.parametrize("window", [0, 2, 65])
def test_a_window_that_cannot_be_is_refused(tmp_path: Path, window: int) -> None:
    file = make(tmp_path) / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"score_window": window}))
    with pytest.raises(ProductError, match="score_window"):
        load_product(tmp_path, "lid")


def test_an_unknown_product_or_version_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="none yet"):
        load_product(tmp_path, "lid")
    make(tmp_path)
    with pytest.raises(ProductError, match="there are: lid"):
        load_product(tmp_path, "bottle")
    with pytest.raises(ProductError, match="choose from 1"):
        load_product(tmp_path, "lid", "7")


@pytest.mark.parametrize("name", ["", "../lid", "a/b", ".hidden", "a b"])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProductError, match="cannot be a product's name"):
        load_product(tmp_path, name)


def test_a_renamed_product_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "lid").rename(tmp_path / "cap")
    with pytest.raises(ProductError, match="is lid version 1 by its manifest"):
        load_product(tmp_path, "cap")


def test_a_manifest_without_its_files_is_refused(tmp_path: Path) -> None:
    """Nothing would be checked any more."""
    file = make(tmp_path / "engines") / "manifest.json"
    assert load_product(tmp_path / "engines", "lid").manifest.files.keys() >= {"model.onnx"}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"files": {}}))
    with pytest.raises(ProductError, match="does not name"):
        load_product(tmp_path / "engines", "lid")


def test_a_version_is_a_number_not_a_path(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(ProductError, match="choose from"):
        load_product(tmp_path, "lid", "../lid/1")


def test_versions_are_written_where_folders_cannot_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, which locks files alone: a draft that nobody can lock is not removed."""
    lock = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with new_version(tmp_path, "lid") as draft:
        assert make(tmp_path).name == "1"
        assert draft.is_dir()
    assert not draft.exists()
