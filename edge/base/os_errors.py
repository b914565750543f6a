"""How to fix an error of the operating system, or of SQLite."""

import errno
import sqlite3

MORE_FILES = "allow more open files ('ulimit -n', or LimitNOFILE in a systemd unit)"
SPACE = "free space on the disk"
PERMISSIONS = "choose another path, or change its permissions"
FIXES: dict[int | str, str] = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT), PERMISSIONS),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EFBIG), PERMISSIONS),
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ELOOP), PERMISSIONS),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), MORE_FILES),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, "SQLITE_FULL"), SPACE),
    **dict.fromkeys(
        (errno.EBADF, errno.ENOLCK),
        "choose a folder on a local disk, since this file system has no locks",
    ),
    errno.ENOMEM: "end other programs, or add memory",
    errno.EIO: "check the disk, and the system's log ('dmesg')",
    "SQLITE_IOERR": f"{SPACE}, or check it ('dmesg')",
    "SQLITE_READONLY": "permit this user to write it",
    "SQLITE_CANTOPEN": f"permit this user to write its folder, or {MORE_FILES}",
    "SQLITE_BUSY": "end the other program that has it open",
}


def how_to_fix(error: Exception) -> str:
    """The fix of an OSError or sqlite3.Error; empty where none is known."""
    if isinstance(error, OSError):
        return FIXES.get(error.errno or 0, "")
    name = getattr(error, "sqlite_errorname", None) or ""
    return FIXES.get("_".join(name.split("_")[:2]), "") if isinstance(error, sqlite3.Error) else ""
