"""A local or mounted folder, as fsspec has it, in which a rename replaces no file."""

import errno
import os
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from edge.base.files import fsync

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Folder(LocalFileSystem):  # type: ignore[misc]
    """fsspec's, but a rename replaces nothing, and the file is on the disk before it."""

    cachable = False

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        """Rename a file. Raises FileExistsError where the new name is taken."""
        fsync(Path(path1))
        try:
            os.link(path1, path2)  # which, unlike a rename, replaces nothing
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if os.path.lexists(path2):  # a file system without links, as FAT and many shares
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path2) from error
            Path(path1).rename(path2)
        else:
            Path(path1).unlink()
        fsync(Path(path2).parent)
