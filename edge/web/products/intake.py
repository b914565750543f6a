"""Pictures that come from people: files, zip archives, a folder of this machine, the archive."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from edge.archive.archive import Archive
from edge.archive.errors import ArchiveError
from edge.archive.places import query_of
from edge.base.errors import DraemError, ImageError
from edge.vision.folder_names import Meaning, meaning
from edge.vision.good_parts import find_good
from edge.vision.image_folders import is_left_out
from edge.web.products.picture_folder import MOST_PICTURE_BYTES, PictureFolder

MOST_ENTRIES = 20_000
MOST_REFUSALS = 100
NOT_GOOD = {Meaning.BAD: "of bad parts", Meaning.MASK: "of masks", Meaning.UNCERTAIN: "of a class"}


@dataclass
class Taken:
    """How many pictures came in, were there already, and which were refused and why."""

    added: int = 0
    same: int = 0
    refused: int = 0
    reasons: list[str] = field(default_factory=list)

    def refuse(self, why: str) -> None:
        """Count a picture that cannot be taken; the first hundred keep their reason."""
        self.refused += 1
        if len(self.reasons) < MOST_REFUSALS:
            self.reasons.append(why)


class Intake:
    """Fills a product's folder, and counts; making it reads what is there, so not in the loop."""

    def __init__(self, folder: PictureFolder) -> None:
        folder.rescan()
        self._folder, self.taken = folder, Taken()

    def take(self, name: str, data: bytes) -> None:
        """One picture by its name and bytes."""
        try:
            if self._folder.add(name, data):
                self.taken.added += 1
            else:
                self.taken.same += 1
        except ImageError as error:
            self.taken.refuse(str(error))

    def take_upload(self, name: str, file: BinaryIO) -> None:
        """A picture, or a zip of pictures."""
        if name.lower().endswith(".zip"):
            self._take_zip(name, file)
        else:
            self.take(name, file.read(MOST_PICTURE_BYTES + 1))

    def _take_zip(self, name: str, file: BinaryIO) -> None:
        try:
            with zipfile.ZipFile(file) as opened:
                entries = [entry for entry in opened.infolist() if not entry.is_dir()]
                if len(entries) > MOST_ENTRIES:
                    self.taken.refuse(f"{name} holds more than {MOST_ENTRIES} files: split it")
                    return
                for entry in entries:
                    self._take_entry(opened, entry)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            self.taken.refuse(f"{name} cannot be unpacked ({error}): pack it again as plain zip")

    def _take_entry(self, opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        """The sizes in a zip may lie: no more is unpacked than a picture may have."""
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if any(is_left_out(part) for part in path.parts):
            return
        for part in path.parts[:-1]:
            if (kind := meaning(part)) in NOT_GOOD:
                self.taken.refuse(f"{path}: {part} is named as a folder {NOT_GOOD[kind]}")
                return
        with opened.open(entry) as file:
            self.take(path.name, file.read(MOST_PICTURE_BYTES + 1))

    def take_folder(self, folder: Path) -> None:
        """Copies of the good pictures of a folder below the working one. Raises ImageError."""
        here = Path.cwd().resolve()
        if not folder.resolve().is_relative_to(here) or not folder.is_dir():
            raise ImageError(f"'{folder}' is no folder below {here}: copy the pictures there")
        for path in find_good(folder).images:
            if path.stat().st_size > MOST_PICTURE_BYTES:
                self.taken.refuse(f"{path} is larger than {MOST_PICTURE_BYTES >> 20} MB")
            else:
                self.take(path.name, path.read_bytes())

    def take_archived(self, archive: Archive, query: str, most: int) -> None:
        """Pictures of the newest inspections that a query means. Raises ArchiveError."""
        for key, data in archived_pictures(archive, query, most, self.taken):
            self.take(f"archive_{key}.png", data)


def archived_pictures(
    archive: Archive, query: str, most: int, taken: Taken
) -> Iterator[tuple[str, bytes]]:
    """Up to so many pictures with their keys, one at a time; one that is not kept is refused."""
    found = 0
    for part in archive.find_all(query_of(query)):
        if found >= most:
            break
        if part.picture is None:
            continue
        try:
            data = archive.object(part.picture)
        except ArchiveError as error:
            taken.refuse(str(error))
            continue
        found += 1
        yield part.key, data
    if not found and not taken.refused:
        raise ArchiveError(f"the archive has no picture of '{query}': ask it for something else")


def one_line(error: DraemError | OSError) -> str:
    """An error's text for people."""
    return str(error) if isinstance(error, DraemError) else (error.strerror or str(error))
