"""A release as one file: a plain tar of the portable part, then the SHA-256 of all before it.

The tar's bytes follow from its content: manifest.json, seal.json, the manifest's files in order,
every header without dates and owners. Reading demands exactly that, so there is one way to read a
file: no link, no path out of the folder, nothing twice and nothing beside what the manifest names.
'tar -tf' lists it, and 'head -c -65 FILE | sha256sum' gives its last line.
"""

import hashlib
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, TypeVar

from pydantic import BaseModel

from edge.base.errors import DraemError
from edge.base.validation import MOST_JSON, first_cause, parse_json
from edge.product.manifest import (
    MANIFEST,
    Manifest,
    check_files,
    parse_manifest,
    raw_manifest,
)
from edge.product.product import Product, check_name
from edge.product.seal import SEAL, Seal, content_digest
from edge.vision.calibration import Calibration

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
TRAILER = 65
"""64 hexadecimal digits and a line's end."""
CHUNK = 1 << 20
MOST_BYTES = 4 << 30
NUMBER = re.compile(r"[1-9][0-9]{0,8}")

Record = TypeVar("Record", bound=BaseModel)


class ReleaseError(DraemError):
    """A file of a release is damaged, altered, or none."""


class Member(NamedTuple):
    """Where a file's bytes lie."""

    offset: int
    size: int


class Release(NamedTuple):
    """What a checked file holds; `raw` is the manifest as it was written."""

    path: Path
    manifest: Manifest
    raw: dict[str, object]
    seal: Seal
    members: dict[str, Member]


def write_release(product: Product, out: BinaryIO) -> None:
    """The portable part of a sealed version, from its folder. Raises ReleaseError."""
    names = sorted(product.manifest.files)
    hashed = _Hashed(out)
    for name in (MANIFEST, SEAL, *names):
        path = product.path / name
        size = path.stat().st_size
        hashed.write(_header(name, size))
        with path.open("rb") as file:
            shutil.copyfileobj(file, hashed, CHUNK)
        hashed.write(bytes(-size % BLOCK))
    hashed.write(END)
    out.write(f"{hashed.sha256.hexdigest()}\n".encode())


def read_release(file: BinaryIO, path: Path) -> Release:
    """Check a file from its last byte to its first. Raises ReleaseError; nothing is written.

    In order: its own digest, each header, the manifest against the seal, each file against the
    manifest. Whose signature the seal has is the caller's question.
    """
    end = file.seek(0, 2) - TRAILER
    if not 4 * BLOCK < end <= MOST_BYTES:
        _refuse(path, "is no release: it is too short" if end < MOST_BYTES else "is too large")
    _check_trailer(file, path, end)
    file.seek(0)
    members: dict[str, Member] = {}

    def take(name: str) -> Member:
        members[name] = _member(file, path, name, end)
        return members[name]

    manifest, raw = _manifest(file, path, take(MANIFEST))
    seal = _record(file, path, take(SEAL), Seal)
    if content_digest(raw) != seal.content:
        _refuse(path, "holds another manifest than the one that was sealed")
    for name in sorted(manifest.files):
        if _digest(file, take(name)) != manifest.files[name]:
            _refuse(path, f"holds another {name} than the one that was sealed")
    if file.read(end - file.tell()) != END:
        _refuse(path, "holds more than its manifest names")
    if "calibration.json" in members:
        _record(file, path, members["calibration.json"], Calibration)
    return Release(path, manifest, raw, seal, members)


def extract(file: BinaryIO, release: Release, name: str, target: Path) -> None:
    """Write one file of a checked release, held to its digest again while it is written."""
    with target.open("xb") as opened:
        hashed = _Hashed(opened)
        for chunk in _chunks(file, release.members[name]):
            hashed.write(chunk)
    if release.manifest.files[name] != hashed.sha256.hexdigest():
        _refuse(release.path, f"has changed while it was read ({name})")


class _Hashed:
    """Writes through to a file and remembers the SHA-256 of it all."""

    def __init__(self, out: BinaryIO) -> None:
        self.out, self.sha256 = out, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self.out.write(data)


def _header(name: str, size: int) -> bytes:
    """The one header that a file of this name and size has. Raises ValueError beyond its limits."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o444
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _member(file: BinaryIO, path: Path, name: str, end: int) -> Member:
    """The member that has to come next; afterwards the file stands behind it."""
    block = file.read(BLOCK)
    found = "nothing"
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        found = ascii(info.name)
        as_written = block == _header(name, info.size)
    except (tarfile.HeaderError, ValueError):
        as_written = False
    if not as_written:
        _refuse(path, f"holds {found} where {name} belongs, or not as 'export' writes it")
    member = Member(file.tell(), info.size)
    padded = member.offset + info.size + -info.size % BLOCK
    if padded > end:
        _refuse(path, f"ends within {name}")
    file.seek(member.offset + info.size)
    if any(file.read(-info.size % BLOCK)):
        _refuse(path, f"holds bytes behind {name} that belong to nothing")
    return member


def _manifest(file: BinaryIO, path: Path, member: Member) -> tuple[Manifest, dict[str, object]]:
    manifest = _record(file, path, member, Manifest, parse_manifest)
    raw = raw_manifest(_bytes(file, member))
    check_name(manifest.name)
    check_files(manifest, path)
    if not NUMBER.fullmatch(manifest.version):
        _refuse(path, f"has the version {ascii(manifest.version)[:40]}, which is no number")
    return manifest, raw


def _record(
    file: BinaryIO,
    path: Path,
    member: Member,
    kind: type[Record],
    parse: Callable[[bytes], Record] | None = None,
) -> Record:
    """A JSON file as what it has to be; afterwards `file` stands where it stood."""
    if member.size > MOST_JSON:
        _refuse(path, f"has a {kind.__name__.lower()} of {member.size} bytes")
    try:
        data = _bytes(file, member)
        return parse(data) if parse else parse_json(data, kind)
    except ValueError as error:
        _refuse(path, f"has a {kind.__name__.lower()} that cannot be read ({first_cause(error)})")


def _bytes(file: BinaryIO, member: Member) -> bytes:
    return b"".join(_chunks(file, member))


def _digest(file: BinaryIO, member: Member) -> str:
    sha256 = hashlib.sha256()
    for chunk in _chunks(file, member):
        sha256.update(chunk)
    return sha256.hexdigest()


def _chunks(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """A member's bytes, some at a time; afterwards `file` stands where it stood."""
    stood = file.tell()
    file.seek(member.offset)
    left = member.size
    while left and (chunk := file.read(min(left, CHUNK))):
        left -= len(chunk)
        yield chunk
    file.seek(stood)


def _check_trailer(file: BinaryIO, path: Path, end: int) -> None:
    if f"{_digest(file, Member(0, end))}\n".encode() != _bytes(file, Member(end, TRAILER)):
        _refuse(path, "is no release, or was damaged on its way (its last line is not its SHA-256)")


def _refuse(path: Path, what: str) -> NoReturn:
    raise ReleaseError(f"{path} {what}: nothing was written, copy it again from where it was made")
