"""A release as one file: a plain tar of the portable part, then the SHA-256 of all before it.

The tar's bytes follow from its content: manifest.json, seal.json, the manifest's files by name,
every header without dates and owners. Reading refuses everything else: a link, a path out of the
folder, a name twice, a file that the manifest does not list. 'tar -tf' lists a release, and
'head -c -65 FILE | sha256sum' gives its last line.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, zip_longest
from pathlib import Path, PurePosixPath
from tarfile import ReadError, TarFile, TarInfo
from typing import BinaryIO, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ValidationError

from edge.base.errors import DraemError
from edge.base.files import digest
from edge.product.product import MANIFEST, Manifest, Product, check_manifest, check_name, first_line
from edge.product.seal import SEAL, Seal, content_digest
from edge.vision.calibration import Calibration

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
TRAILER = 65
"""64 hexadecimal digits and a newline."""
CHUNK = 1 << 20
MAX_BYTES = 4 << 30
MAX_FILES = 2000
MAX_JSON_BYTES = 16 << 20
"""Of one JSON file, since it is read into memory."""
PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
MEMBER = re.compile(rf"{PART}(/{PART})*")
NUMBER = re.compile(r"[1-9][0-9]{0,8}")

Record = TypeVar("Record", bound=BaseModel)


class ReleaseError(DraemError):
    """A release file is damaged, altered, or not a release."""


class ReleaseMember(TarInfo):
    """A tar header that is, byte for byte, the one that `write_release` writes.

    So links, devices and extended headers are refused before tarfile acts on them.
    """

    @classmethod
    def of(cls, name: str, size: int) -> Self:
        info = cls(name)
        info.size, info.mode = size, 0o444
        return info

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if buf != cls.of(info.name, info.size).tobuf(tarfile.USTAR_FORMAT, encoding, errors):
            raise ReadError(f"the header of {info.name!a} is not as 'export' writes it")
        return info


class Release(NamedTuple):
    """What a checked file holds; `raw` is the manifest's JSON as it was written."""

    path: Path
    manifest: Manifest
    raw: dict[str, object]
    seal: Seal
    tar: TarFile


def write_release(product: Product, out: BinaryIO) -> None:
    """Write the portable part of a sealed version to an empty file. Raises ReleaseError."""
    names = sorted(product.manifest.files)
    if problem := _invalid_names(names):
        raise ReleaseError(f"{product.path} cannot be exported, {problem}: train it again")
    tar = TarFile(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT)
    for name in (MANIFEST, SEAL, *names):
        path = product.path / name
        with path.open("rb") as file:
            tar.addfile(ReleaseMember.of(name, path.stat().st_size), file)
    out.write(END)  # tar.close() would add more, up to a multiple of 10 KiB
    size = out.tell()
    out.seek(0)
    out.write(_trailer(out, size))


def read_release(file: BinaryIO, path: Path) -> Release:
    """Check a release file and return what it holds. Raises ReleaseError; nothing is written.

    In order: its size and its own digest, each header, the manifest against the seal, each file
    against the manifest. Whose signature the seal has is left to the caller.
    """
    with _refusing(path):
        size = file.seek(0, 2) - TRAILER
        if not 4 * BLOCK < size <= MAX_BYTES:
            raise ReadError(
                f"{size + TRAILER} bytes are too {'few' if size < MAX_BYTES else 'many'}"
            )
        file.seek(0)
        if _trailer(file, size) != file.read():
            raise ReadError("it is damaged or not a release (its last line is not its SHA-256)")
        file.seek(0)
        tar = TarFile(fileobj=file, tarinfo=ReleaseMember)
        members = list(islice(tar, MAX_FILES + 3))
        _check_names(members[:2], [MANIFEST, SEAL])
        manifest, data = _record(file, members[0], Manifest)
        raw = json.loads(data)
        _check_importable(manifest, path)
        seal, _ = _record(file, members[1], Seal)
        if content_digest(raw) != seal.content:
            raise ReadError("its manifest is not the one that was sealed")
        _check_names(members, [MANIFEST, SEAL, *sorted(manifest.files)])
        for member in members:
            if member.name == "calibration.json":
                _record(file, member, Calibration)
            _check_content(file, member, manifest.files.get(member.name))
        if size - file.tell() != len(END) or file.read(len(END)) != END:
            raise ReadError("it holds more than its manifest names")
    return Release(path, manifest, raw, seal, tar)


def unpack(release: Release, folder: Path) -> None:
    """Write the files of a checked release, and check each once more as it is on the disk."""
    # Python 3.11.0 to 3.11.3 have no filters; names and headers were checked in any case.
    release.tar.extraction_filter = getattr(tarfile, "data_filter", None)
    with _refusing(release.path):
        for name, expected in release.manifest.files.items():
            release.tar.extract(name, folder, set_attrs=False)
            if digest(folder / name) != expected:
                raise ReadError(f"it has changed while it was read ({name})")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with a file into one line that names it."""
    try:
        yield
    except (tarfile.TarError, ValueError) as error:
        reason = str(error)
        raise ReleaseError(
            f"{path} cannot be imported, {reason if reason.isprintable() else ascii(reason)}: "
            "nothing was written, copy it again from where it was made"
        ) from error


def _check_names(members: list[TarInfo], expected: list[str]) -> None:
    for name, wanted in zip_longest((member.name for member in members), expected):
        if name is None:
            raise ReadError(f"{wanted} is missing")
        if name != wanted:
            raise ReadError(f"it holds {name!a} where {wanted or 'nothing'} belongs")


def _record(file: BinaryIO, member: TarInfo, kind: type[Record]) -> tuple[Record, bytes]:
    """A JSON file as a model, and its bytes."""
    if member.size > MAX_JSON_BYTES:
        raise ReadError(f"its {member.name} has {member.size} bytes")
    file.seek(member.offset_data)
    data = file.read(member.size)
    try:
        return kind.model_validate_json(data), data
    except ValidationError as error:
        raise ReadError(f"its {member.name} cannot be read ({first_line(error)})") from error


def _check_importable(manifest: Manifest, path: Path) -> None:
    check_name(manifest.name)
    check_manifest(manifest, path)
    if not NUMBER.fullmatch(manifest.version):
        raise ReadError(f"its version {manifest.version[:40]!a} is not a number")
    if problem := _invalid_names(sorted(manifest.files)):
        raise ReadError(problem)


def _invalid_names(names: list[str]) -> str | None:
    """Why these cannot be the files of a version; None where they can."""
    if len(names) > MAX_FILES:
        return f"it has more than {MAX_FILES} files"
    reserved = {MANIFEST, SEAL, *(str(p) for name in names for p in PurePosixPath(name).parents)}
    for name in names:
        of_device = name.partition("/")[0] == "engines"
        if not MEMBER.fullmatch(name) or len(name) > 99 or name in reserved or of_device:
            return f"the name {name[:99]!a} is not one that a version's file may have"
    return None


def _check_content(file: BinaryIO, member: TarInfo, expected: str | None) -> None:
    """Check a file's digest, where one is expected, and that it is padded with zeros."""
    file.seek(member.offset_data)
    if _sha256(file, member.size) != expected and expected is not None:
        raise ReadError(f"its {member.name} is not the one that was sealed")
    if any(file.read(-member.size % BLOCK)):
        raise ReadError(f"it holds bytes after {member.name} that belong to no file")


def _trailer(file: BinaryIO, size: int) -> bytes:
    return f"{_sha256(file, size)}\n".encode()


def _sha256(file: BinaryIO, size: int) -> str:
    """Of the next `size` bytes."""
    sha256 = hashlib.sha256()
    while size and (chunk := file.read(min(size, CHUNK))):
        sha256.update(chunk)
        size -= len(chunk)
    return sha256.hexdigest()
