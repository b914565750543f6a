"""Where pictures go: sftp://user@host/path, smb://user@host/share/path, or a folder."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from edge.base.errors import SettingsError

SCHEMES = ("sftp", "smb", "file")
EXAMPLES = "sftp://user@host/path, smb://user@host/share/path, or a folder"


@dataclass(frozen=True)
class Place:
    """A folder on a file server, or one of this machine (scheme `file`, no host)."""

    scheme: str
    path: str
    host: str = ""
    port: int | None = None
    user: str | None = None

    def __str__(self) -> str:
        if self.scheme == "file":
            return self.path
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}{f':{self.port}' if self.port else ''}{self.path}"


@dataclass(frozen=True)
class Access:
    """How to be let in, and how to know the server; nothing of it is shown."""

    password: str | None = field(default=None, repr=False)
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    is_encrypted: bool = True  # SMB; SFTP always is


def parse_place(text: str) -> Place:
    """An address from a command line. Raises SettingsError, never with the address in it."""
    if "://" not in text:
        return Place("file", str(Path(text).absolute()))
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:  # its text has a part of the address, which may be one of a password
        raise _refused(f"write {EXAMPLES}, with a number as port and no password") from None
    if url.password is not None:
        raise _refused(
            "it contains a password, which others can read: leave it out, and name a file with it "
            "(--password-file) or set DRAEM_DELIVER_PASSWORD"
        )
    if url.scheme not in SCHEMES or url.query or url.fragment:
        raise _refused(f"write {EXAMPLES}; ? and # as %3F and %23")
    path = unquote(url.path).rstrip("/")
    if "\0" in path or ".." in path.split("/"):
        raise _refused("its path leads upwards or has a NUL: correct it")
    if url.scheme == "file":
        return _folder(url, path)
    if not url.hostname:
        raise _refused(f"it names no host: write {EXAMPLES}")
    if url.scheme == "smb" and not path.strip("/"):
        raise _refused("it names no share: write smb://user@host/share/path")
    user = unquote(url.username.replace(";", "\\")) if url.username else None
    return Place(url.scheme, path, url.hostname, port, user)


def _folder(url: SplitResult, path: str) -> Place:
    if url.netloc or not path:
        raise _refused("a folder of this machine has three slashes, as file:///mnt/pictures")
    return Place("file", path)


def _refused(why: str) -> SettingsError:
    return SettingsError(f"the address of --to cannot be used, {why}")
