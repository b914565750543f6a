"""Pictures and masks by their content: a folder, or an object store, through fsspec.

An object's name is the SHA-256 of its bytes, so that it is written once and never changed. It is
written before a row names it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from edge.archive.errors import ArchiveError, PictureLost
from edge.base.files import fsync, write_atomic

WRITERS = 8


class PictureStore:
    """Objects below a folder or an address such as s3://bucket/pictures.

    Raises ArchiveError where it cannot be used.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        try:
            self._fs, self._root = fsspec.core.url_to_fs(address)
            if isinstance(self._fs, MemoryFileSystem):
                raise ValueError("they would be lost at the end of the program")
            self._fs.makedirs(self._root, exist_ok=True)
        except (ImportError, ValueError) as error:
            raise ArchiveError(
                f"pictures cannot go to {self._address} ({error}): write a folder, or "
                "s3://bucket/path with the extra 's3' installed"
            ) from error
        except Exception as error:  # fsspec's backends raise errors of their own
            raise self._error(error) from error
        self._local = isinstance(self._fs, LocalFileSystem)
        self._pool = ThreadPoolExecutor(1 if self._local else WRITERS)

    def claim(self, archive_id: str) -> None:
        """Mark the store as that of one archive: two would delete each other's objects."""
        path = f"{self._root}/archive-id"
        try:
            if not self._fs.exists(path):
                self._write(path, archive_id.encode())
            owner = bytes(self._fs.cat_file(path)).decode("utf-8", "replace")
        except Exception as error:
            raise self._error(error) from error
        if owner != archive_id:
            raise ArchiveError(
                f"the pictures at {self._address} are those of another archive: choose another "
                "--pictures"
            )

    def put_all(self, objects: Sequence[bytes]) -> list[bytes]:
        """Write objects and return their digests; those that are there are left as they are."""
        return list(self._pool.map(self._put, objects))

    def _put(self, data: bytes) -> bytes:
        digest = sha256(data).digest()
        path = self._path(digest)
        try:
            if not self._fs.exists(path) or self._fs.size(path) != len(data):
                self._write(path, data)
        except Exception as error:
            raise self._error(error) from error
        return digest

    def _write(self, path: str, data: bytes) -> None:
        if not self._local:
            self._fs.pipe_file(path, data)  # an object store shows an object when it is complete
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(Path(path), data)  # on the disk before its row is
        fsync(Path(path).parent)

    def get(self, digest: bytes) -> bytes:
        """An object's bytes. Raises PictureLost where it is missing or was altered."""
        try:
            data = bytes(self._fs.cat_file(self._path(digest)))
        except FileNotFoundError as error:
            raise PictureLost(
                f"{self._address} lacks the picture {digest.hex()}: it was deleted by hand"
            ) from error
        except Exception as error:
            raise self._error(error) from error
        if sha256(data).digest() != digest:
            raise PictureLost(f"the picture {digest.hex()} in {self._address} was altered")
        return data

    def has(self, digest: bytes) -> bool:
        """Whether an object is there; its bytes are not checked. Raises ArchiveError."""
        try:
            return bool(self._fs.exists(self._path(digest)))
        except Exception as error:
            raise self._error(error) from error

    def delete(self, digest: bytes) -> None:
        """Delete an object; one that is not there is fine."""
        try:
            self._fs.rm_file(self._path(digest))
        except FileNotFoundError:
            pass
        except Exception as error:
            raise self._error(error) from error

    def _path(self, digest: bytes) -> str:
        name = digest.hex()
        return f"{self._root}/{name[:2]}/{name[2:4]}/{name}.png"

    def _error(self, error: Exception) -> ArchiveError:
        return ArchiveError(
            f"the pictures at {self._address} cannot be used ({error}): check the disk, "
            "the address and the access to it"
        )
