"""A release's file: every damage and every forgery is noticed before anything is written."""

import hashlib
import io
import json
import random
import subprocess
import tarfile
from pathlib import Path

import pytest

from deploy.release.lifecycle import export, import_release, seal
from deploy.release.release_file import ReleaseError, extract, read_release
from deploy.release.signing import make_key
from edge.base.errors import DraemError
from edge.events.keys import KeysError
from edge.product.product import load_product, versions
from tests.support.release_files import Files, closed, files_of, make, packed, with_manifest


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return make_key(tmp_path / "keys", "plant")


@pytest.fixture
def file(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    """Of a signed version."""
    path = make(tmp_path / "office", b"model" * 200).path
    seal(path, keys[0])
    export(load_product(tmp_path / "office", "lid"), tmp_path / "lid.draem")
    return tmp_path / "lid.draem"


@pytest.fixture
def files(file: Path) -> Files:
    return files_of(file)


def refused(tmp_path: Path, data: bytes, why: str, trust: Path | None = None) -> None:
    """An import says why in one line, and writes nothing."""
    path = tmp_path / "forged.draem"
    path.write_bytes(data)
    with pytest.raises(DraemError, match=why) as caught:
        import_release(path, tmp_path / "station", trust)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert not (tmp_path / "station").exists()


def test_a_release_whose_content_is_refused_leaves_no_version(tmp_path: Path, files: Files) -> None:
    """Here a calibration that names a frame elsewhere, and a model that reads another file."""
    calibration = json.loads(files["calibration.json"]) | {"frames": {"../../../x": 0.1}}
    model = b"\x3a\x16\x2a\x14\x6a\x12\x0a\x08location\x12\x06../w.b"
    for name, data, why in (
        ("calibration.json", json.dumps(calibration).encode(), "reads 'calibration/../../../x'"),
        ("model.onnx", model, "reads its weights from other files"),
    ):
        changed = files | {name: data}
        named = {
            n: hashlib.sha256(d).hexdigest()
            for n, d in changed.items()
            if "/" in n or n in ("calibration.json", "golden.npz", "model.onnx", "sources.json")
        }
        path = tmp_path / "forged.draem"
        path.write_bytes(packed(with_manifest(changed, files=named)))
        with pytest.raises(DraemError, match=why):
            import_release(path, tmp_path / "station")
        assert versions(tmp_path / "station", "lid") == []


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


def test_every_byte_of_a_release_that_flips_is_noticed(file: Path) -> None:
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


def test_a_release_cut_short_or_with_more_behind_it_is_noticed(file: Path) -> None:
    data = file.read_bytes()
    for cut in (0, 1, 64, 65, 512, 1024, 2112, len(data) // 2, len(data) - 1):
        with pytest.raises(ReleaseError):
            read_release(io.BytesIO(data[:cut]), file)
    for more in (b"\0", b"x" * 65, b"\0" * 512, data):
        with pytest.raises(ReleaseError):
            read_release(io.BytesIO(data + more), file)


def test_a_forger_who_mends_the_last_line_still_cannot_change_a_byte(
    file: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    """But in the white space of the two JSON files, which says nothing."""
    tar = bytearray(file.read_bytes()[:-65])
    manifest = 512 + len(files_of(file)["manifest.json"])
    chance = random.Random(1)
    path = tmp_path / "forged.draem"
    for position in [*range(512), *chance.sample(range(512, len(tar)), 200)]:
        if chr(tar[position]).isspace() and position < manifest + 1536:
            continue
        good, tar[position] = tar[position], tar[position] ^ (1 << chance.randrange(8))
        path.write_bytes(closed(bytes(tar)))
        with pytest.raises(DraemError):
            import_release(path, tmp_path / "station", keys[1])
        tar[position] = good
    assert not (tmp_path / "station").exists()


def test_release_members_that_are_swapped_or_unlisted_or_missing_are_refused(
    files: Files, tmp_path: Path
) -> None:
    assert packed(files) == (tmp_path / "lid.draem").read_bytes(), "the forger's file is like ours"
    names = list(files)
    swapped = files | {"model.onnx": files["golden.npz"], "golden.npz": files["model.onnx"]}
    refused(tmp_path, packed(swapped), "another golden.npz than the one that was sealed")
    order = {name: files[name] for name in [*names[:-2], names[-1], names[-2]]}
    refused(tmp_path, packed(order), "holds 'sources.json' where model.onnx belongs")
    refused(tmp_path, packed(files | {"extra.txt": b"x"}), "holds more than its manifest names")
    refused(tmp_path, packed(files | {"engines/x.plan": b"x"}), "more than its manifest names")
    first = {name: files[name] for name in ["seal.json", *names]}
    refused(tmp_path, packed(first), "where manifest.json belongs")
    few = {name: data for name, data in files.items() if name != "model.onnx"}
    refused(tmp_path, packed(few), "where model.onnx belongs")
    refused(tmp_path, packed({**files, "sources.json": b"[]"}), "another sources.json")
    unsealed = {name: data for name, data in files.items() if name != "seal.json"}
    refused(tmp_path, packed(unsealed), "where seal.json belongs")


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/outside", "a/../../outside", "./x", ".draft.1/x", "a//b", "a/", "",
     "manifest.json", "seal.json", "engines/x.plan", "engines", "a\nb", "a\\b", "\x1b[2J",
     "model.onnx/x", "é", "x" * 100],
)  # fmt: skip
def test_a_release_with_a_name_outside_of_its_folder_is_refused(
    files: Files, tmp_path: Path, name: str
) -> None:
    """Though its manifest lists it and its seal fits."""
    named = json.loads(files["manifest.json"])["files"] | {name: "0" * 64}
    forged = with_manifest(files, files=named)
    refused(tmp_path, packed(forged), "the name")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "fields",
    [{"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, {"type": tarfile.LNKTYPE},
     {"type": tarfile.DIRTYPE}, {"type": tarfile.CHRTYPE}, {"type": tarfile.XHDTYPE},
     {"type": tarfile.GNUTYPE_SPARSE}, {"type": tarfile.GNUTYPE_LONGNAME}, {"mode": 0o4755},
     {"uid": 1}, {"mtime": 1}, {"uname": "root"}],
)  # fmt: skip
def test_a_release_with_a_link_or_any_other_header_than_ours_is_refused(
    files: Files, tmp_path: Path, fields: dict[str, object]
) -> None:
    for name in ("manifest.json", "seal.json", "model.onnx"):
        refused(tmp_path, packed(files, **{name: fields}), "belongs, or not as 'export' writes it")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"version": "../1"}, "no number"),
        ({"version": "0"}, "no number"),
        ({"version": "9" * 40}, "no number"),
        ({"name": "../lid"}, "cannot be a product's name"),
        ({"manifest_schema": 9}, "manifest schema 9"),
        ({"files": {}}, "does not name"),
        ({"height": 63}, "multiples of 32"),
        ({"more": 1}, "more"),
    ],
)
def test_a_release_with_a_manifest_that_cannot_serve_is_refused(
    files: Files, tmp_path: Path, fields: dict[str, object], why: str
) -> None:
    refused(tmp_path, packed(with_manifest(files, **fields)), why)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"null", b"\xff", b'{"a": NaN}'])
def test_a_release_with_rubbish_for_json_is_one_line(
    files: Files, tmp_path: Path, text: bytes
) -> None:
    for name in ("manifest.json", "seal.json"):
        refused(tmp_path, packed(files | {name: text}), "that cannot be read")


def test_a_release_whose_seal_is_of_another_is_refused(files: Files, tmp_path: Path) -> None:
    other = json.loads(files["seal.json"]) | {"content": "0" * 64}
    forged = files | {"seal.json": json.dumps(other).encode()}
    refused(tmp_path, packed(forged), "another manifest than the one that was sealed")


def test_a_release_is_taken_only_with_the_trusted_signature(
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
    refused(tmp_path, packed(later), "the signature of this release is not", keys[1])
    content = with_manifest(files, created="2027-01-01")
    refused(tmp_path, packed(content), "the signature of this release is not", keys[1])
    _, new = import_release(file, tmp_path / "station", keys[1])
    assert new
    assert versions(tmp_path / "station", "lid") == [1]


def test_a_release_that_changes_after_it_was_checked_is_noticed(file: Path, tmp_path: Path) -> None:
    with file.open("r+b") as opened:
        release = read_release(opened, file)
        opened.seek(release.members["model.onnx"].offset)
        opened.write(b"M")
        with pytest.raises(ReleaseError, match="has changed while it was read"):
            extract(opened, release, "model.onnx", tmp_path / "model.onnx")


def test_a_release_key_is_for_its_owner_alone_and_never_written_over(
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
