"""Forged release files, whose last line is right: each is refused before anything is written."""

import json
import random
import tarfile
from pathlib import Path

import pytest

from deploy.release import release_file
from deploy.release.lifecycle import import_release
from edge.base.errors import DraemError
from tests.support.release_files import Files, closed, files_of, packed, refused, with_manifest


def test_a_changed_byte_in_a_signed_release_is_refused_though_the_last_line_fits(
    file: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    """Except in the white space of the two JSON files, which has no meaning."""
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
    assert packed(files) == (tmp_path / "lid.draem").read_bytes(), (
        "a forged file can be like an exported one"
    )
    names = list(files)
    swapped = files | {"model.onnx": files["golden.npz"], "golden.npz": files["model.onnx"]}
    refused(tmp_path, packed(swapped), "its golden.npz is not the one that was sealed")
    order = {name: files[name] for name in [*names[:-2], names[-1], names[-2]]}
    refused(tmp_path, packed(order), "holds 'sources.json' where model.onnx belongs")
    refused(tmp_path, packed(files | {"extra.txt": b"x"}), "'extra.txt' where nothing belongs")
    refused(tmp_path, packed(files | {"engines/x.plan": b"x"}), "where nothing belongs")
    first = {name: files[name] for name in ["seal.json", *names]}
    refused(tmp_path, packed(first), "where manifest.json belongs")
    few = {name: data for name, data in files.items() if name != "model.onnx"}
    refused(tmp_path, packed(few), "where model.onnx belongs")
    last = dict(list(files.items())[:-1])
    refused(tmp_path, packed(last), "sources.json is missing")
    refused(tmp_path, packed({**files, "sources.json": b"[]"}), "its sources.json is not the one")
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
        refused(
            tmp_path,
            packed(files, **{name: fields}),
            "the header of .* is not as 'export' writes it",
        )


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"version": "../1"}, "not a number"),
        ({"version": "0"}, "not a number"),
        ({"version": "9" * 40}, "not a number"),
        ({"name": "../lid"}, "cannot be a product's name"),
        ({"manifest_schema": 9}, "manifest schema 9"),
        ({"files": {}}, "does not name"),
        ({"height": 63}, "height"),
        ({"more": 1}, "more"),
    ],
)
def test_a_release_with_a_manifest_that_cannot_serve_is_refused(
    files: Files, tmp_path: Path, fields: dict[str, object], why: str
) -> None:
    refused(tmp_path, packed(with_manifest(files, **fields)), why)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"null", b"\xff", b'{"a": NaN}'])
def test_a_release_with_invalid_json_is_refused_in_one_line(
    files: Files, tmp_path: Path, text: bytes
) -> None:
    for name in ("manifest.json", "seal.json"):
        refused(tmp_path, packed(files | {name: text}), "cannot be read")


def test_a_release_whose_seal_is_of_another_is_refused(files: Files, tmp_path: Path) -> None:
    other = json.loads(files["seal.json"]) | {"content": "0" * 64}
    forged = files | {"seal.json": json.dumps(other).encode()}
    refused(tmp_path, packed(forged), "its manifest is not the one that was sealed")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_release_with_a_huge_extended_header_is_refused_unread(
    files: Files, tmp_path: Path, kind: bytes
) -> None:
    """tarfile would read such a header into memory, however large it says to be."""
    forged = packed(files, **{"manifest.json": {"type": kind, "size": 1 << 32}})
    refused(tmp_path, forged, "the header of 'manifest.json' is not as 'export' writes it")


def test_a_release_with_bytes_that_belong_to_no_file_is_refused(
    files: Files, file: Path, tmp_path: Path
) -> None:
    tar = packed(files)[:-65]
    with tarfile.open(file) as members:
        after = [(m.name, m.offset_data + m.size) for m in members if m.size % 512]
    for name, position in after:
        refused(tmp_path, closed(tar[:position] + b"x" + tar[position + 1 :]), f"after {name}")
    for forged in (tar + bytes(512), tar[:-512], tar[:-1] + b"x"):
        refused(tmp_path, closed(forged), "holds more than its manifest names")


def test_a_release_with_a_huge_json_file_is_refused_unread(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_file, "MAX_JSON_BYTES", len(files["manifest.json"]) + 10)
    refused(tmp_path, packed(files | {"manifest.json": b" " * 2000}), "has 2000 bytes")


def test_a_release_of_more_files_than_the_limit_is_refused(files: Files, tmp_path: Path) -> None:
    many = {f"extra/{i}": b"" for i in range(release_file.MAX_FILES)}
    refused(tmp_path, packed(files | many), "'extra/0' where nothing belongs")
    named = json.loads(files["manifest.json"])["files"] | dict.fromkeys(many, "0" * 64)
    refused(tmp_path, packed(with_manifest(files, files=named)), "more than 2000 files")


def test_a_release_message_has_no_control_characters(files: Files, tmp_path: Path) -> None:
    """They could move the terminal's cursor, or colour it."""
    refused(tmp_path, packed(with_manifest(files, **{"\x1b[2J": 1})), "Extra inputs")
