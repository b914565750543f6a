"""The file server: one connection, files that appear whole under a name that was free."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from secrets import token_hex
from typing import Any

from edge.base.closeable import Closeable
from edge.base.os_errors import how_to_fix
from edge.delivery.errors import DeliveryError, NameTaken, Stopped, TargetError
from edge.delivery.pace import Pace
from edge.delivery.place import Access, Place

CHUNK_BYTES = 256 << 10


class Target(Closeable):
    """Files below a place; it connects at the first use, and again after an error.

    The place itself must be there: it is never made, so that a share that is not mounted is an
    error, and does not fill this machine's disk. Raises TargetError, or TargetRefused.
    """

    def __init__(self, place: Place, access: Access, pace: Pace) -> None:
        self.place, self._access, self._pace = place, access, pace
        self._fs: Any = None
        self._folders: set[str] = set()

    def check(self) -> None:
        """Connect, and see that files can be written in the place."""
        with self._errors():
            self._root_is_there()
            probe = self._path(f".draem-{token_hex(4)}.part")
            with self._fs.open(probe, "wb") as file:
                file.write(b"draem")
            self._remove(probe)

    def are_free(self, names: Sequence[str]) -> bool:
        """Whether there is neither a file nor a folder of any of these names."""
        with self._errors():
            self._root_is_there()
            return all(self._size(self._path(name)) is None for name in names)

    def put(self, name: str, data: bytes, temporary: str) -> None:
        """Write a file under a temporary name in its folder, then rename it.

        A file of the same bytes is left as it is: an attempt before this one has ended in between.
        Raises NameTaken for another file, Stopped.
        """
        with self._errors():
            self._root_is_there()
            path = self._path(name)
            if (size := self._size(path)) is not None:
                if size != len(data) or bytes(self._fs.cat_file(path)) != data:
                    raise NameTaken(name)
                self._remove(self._beside(path, temporary))
                return
            self._make_folders(name)
            beside = self._beside(path, temporary)
            try:
                self._write(beside, path, data)
            except (NameTaken, Stopped):
                raise
            except Exception:  # of a full disk it must not take the last room
                with suppress(Exception):
                    self._remove(beside)
                raise

    def _write(self, temporary: str, path: str, data: bytes) -> None:
        self._pace.file()
        self._remove(temporary)  # after a kill it may be a second name of a finished file
        with self._fs.open(temporary, "wb") as file:
            for begin in range(0, len(data), CHUNK_BYTES):
                chunk = data[begin : begin + CHUNK_BYTES]
                self._pace.chunk(len(chunk))
                file.write(chunk)
        if self._size(temporary) != len(data):
            raise OSError("the server has not stored all of it: its disk may be full")
        try:
            self._fs.mv(temporary, path)
        except OSError:
            if self._size(path) is None:
                raise
            self._remove(temporary)
            raise NameTaken(path) from None

    def _size(self, path: str) -> int | None:
        """Of a file; None where nothing has this name. fsspec's `exists` hides other errors."""
        try:
            return int(self._fs.info(path)["size"])
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ENOENT:  # smbprotocol's is of another class
                return None
            raise

    def _root_is_there(self) -> None:
        if self._fs is None:
            self._fs = _opened(self.place, self._access)
        if self._size(self.place.path or "/") is None:
            raise TargetError(
                f"there is no folder {self.place.path or '/'} for the pictures: make it there, or "
                "mount the share"
            )

    def _make_folders(self, name: str) -> None:
        """Those of a name below the place; fsspec's own would ask for, and make, all above too."""
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            path = self._path(str(parent))
            if path in self._folders:
                continue
            if self._size(path) is None:
                try:
                    self._fs.mkdir(path, create_parents=False)
                except OSError:
                    if self._size(path) is None:  # else somebody has just made it
                        raise
            self._folders.add(path)

    def _remove(self, path: str) -> None:
        if self._size(path) is not None:
            self._fs.rm_file(path)

    def _path(self, name: str) -> str:
        return f"{self.place.path}/{name}"

    @staticmethod
    def _beside(path: str, temporary: str) -> str:
        return str(PurePosixPath(path).with_name(temporary))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever goes wrong, the next use connects anew: each backend has its own errors."""
        try:
            yield
        except (NameTaken, Stopped):
            raise
        except DeliveryError:
            self.close()
            raise
        except Exception as error:
            self.close()
            text = str(error) or type(error).__name__
            fix = how_to_fix(error) or "check the server, the network, and that this user may write"
            raise TargetError(f"{self.place} does not take pictures ({text}): {fix}") from error

    def close(self) -> None:
        """Disconnect."""
        fs, self._fs, self._folders = self._fs, None, set()
        close: Callable[[], object] = getattr(fs, "close", lambda: None)
        close()


def _opened(place: Place, access: Access) -> Any:
    """The file system of a place. Raises DeliveryError for a missing package."""
    try:
        if place.scheme == "sftp":
            from edge.delivery.sftp import Sftp

            return Sftp(place, access)
        if place.scheme == "smb":
            from edge.delivery.smb import Smb

            return Smb(place, access)
        from edge.delivery.folder import Folder

        return Folder()
    except ModuleNotFoundError as error:
        raise DeliveryError(
            f"{error.name} is missing: run './just setup', or pip install '.[deliver]'"
        ) from None
