"""A release file: its bytes, its damage, its signature, and changes while it is imported."""

import io
import json
import random
import subprocess
from pathlib import Path

import pytest

from deploy.release import release_file
from deploy.release.lifecycle import export, import_release, seal
from deploy.release.release_file import ReleaseError, read_release, unpack
from deploy.release.signing import make_key
from edge.events.keys import KeysError
from edge.product.product import load_product, versions
from tests.support.release_files import (
    Files,
    make,
    packed,
    refused,
    with_manifest,
)


def test_a_release_file_is_a_tar_that_others_can_list_and_check(file: Path) -> None:
    listed = subprocess.run(["tar", "-tf", file], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == [
        "manifest.json", "seal.json", "calibration.json", "calibration/000.png", "golden.npz",
        "model.onnx", "sources.json",
    ]  # fmt: skip
    assert not listed.stderr
    summed = subprocess.run(
        f"head -c -65 '{file}' | sha256sum", shell=True, capture_output=True, text=True, check=True
    )
    assert summed.stdout.split()[0] + "\n" == file.read_bytes()[-65:].decode()


def test_a_release_exported_twice_is_the_same_file(file: Path, tmp_path: Path) -> None:
    import_release(file, tmp_path / "station")
    export(load_product(tmp_path / "station", "lid", "1"), tmp_path / "again.draem")
    assert (tmp_path / "again.draem").read_bytes() == file.read_bytes()


def test_a_flipped_bit_anywhere_in_a_release_is_refused(file: Path) -> None:
    """1,000 positions, among them every one of the headers of the first two files."""
    data = bytearray(file.read_bytes())
    chance = random.Random(0)
    positions = [*range(0, 400), *chance.sample(range(len(data)), 534), *range(-66, 0)]
    for position in positions:
        good = data[position]
        data[position] ^= 1 << chance.randrange(8)
        with pytest.raises(ReleaseError):
            read_release(io.BytesIO(data), file)
        data[position] = good
    read_release(io.BytesIO(data), file)


def test_a_release_cut_short_or_with_more_at_its_end_is_refused(file: Path) -> None:
    data = file.read_bytes()
    for cut in (0, 1, 64, 65, 512, 1024, 2112, len(data) // 2, len(data) - 1):
        with pytest.raises(ReleaseError):
            read_release(io.BytesIO(data[:cut]), file)
    for more in (b"\0", b"x" * 65, b"\0" * 512, data):
        with pytest.raises(ReleaseError):
            read_release(io.BytesIO(data + more), file)


def test_a_release_that_changes_after_it_was_checked_is_refused(file: Path, tmp_path: Path) -> None:
    with file.open("r+b") as opened:
        release = read_release(opened, file)
        opened.seek(release.tar.getmember("model.onnx").offset_data)
        opened.write(b"M")
        with pytest.raises(ReleaseError, match="has changed while it was read"):
            unpack(release, tmp_path / "draft")


def test_a_release_cut_off_after_it_was_checked_is_refused(file: Path, tmp_path: Path) -> None:
    with file.open("r+b") as opened:
        release = read_release(opened, file)
        opened.truncate(release.tar.getmember("model.onnx").offset_data + 1)
        with pytest.raises(ReleaseError, match="unexpected end of data"):
            unpack(release, tmp_path / "draft")


def test_a_release_is_imported_only_with_the_trusted_signature(
    file: Path, files: Files, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    data = file.read_bytes()
    stranger, public = make_key(tmp_path / "keys", "stranger")
    refused(tmp_path, data, "signed with another key", public)
    refused(tmp_path, data, "is no public key", stranger)
    refused(tmp_path, data, "does not exist", tmp_path / "none.pub")
    sealed = json.loads(files["seal.json"])
    unsigned = sealed | {"key": None, "signature": None}
    forged = files | {"seal.json": json.dumps(unsigned).encode()}
    refused(tmp_path, packed(forged), "is not signed", keys[1])
    half = files | {"seal.json": json.dumps(sealed | {"signature": None}).encode()}
    refused(tmp_path, packed(half), "belong together", keys[1])
    later = files | {"seal.json": json.dumps(sealed | {"sealed": "2027-01-01"}).encode()}
    refused(tmp_path, packed(later), "the signature of this release is not made with", keys[1])
    content = with_manifest(files, created="2027-01-01")
    refused(tmp_path, packed(content), "the signature of this release is not made with", keys[1])
    _, new = import_release(file, tmp_path / "station", keys[1])
    assert new
    assert versions(tmp_path / "station", "lid") == [1]


def test_a_release_key_is_readable_by_its_owner_alone_and_never_overwritten(
    keys: tuple[Path, Path], tmp_path: Path
) -> None:
    assert keys[0].stat().st_mode & 0o777 == 0o600
    before = keys[0].read_bytes()
    with pytest.raises(KeysError, match="exists"):
        make_key(tmp_path / "keys", "plant")
    keys[1].unlink()
    with pytest.raises(KeysError, match="exists"):
        make_key(tmp_path / "keys", "plant")
    assert keys[0].read_bytes() == before
    path = make(tmp_path / "products").path
    keys[0].chmod(0o644)
    with pytest.raises(KeysError, match="chmod 600"):
        seal(path, keys[0])


def test_a_release_file_above_4_gib_is_refused_unread(file: Path, tmp_path: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(release_file.MAX_BYTES + 66)  # a hole: it takes no space
    with pytest.raises(ReleaseError, match="bytes are too many"):
        import_release(file, tmp_path / "station")
