"""SFTP as fsspec has it, but only with a server whose key is known, and with timeouts."""

import codecs
import os
from pathlib import Path

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from edge.base.files import read_text
from edge.delivery.errors import TargetRefused
from edge.delivery.place import Access, Place

TIMEOUT_S = 20.0
KEEPALIVE_S = 10
UNDECIDED = ("Authentication timeout", "saw EOF")
"""What paramiko raises as a refusal, although the server has not answered."""
USER_HOSTS = "~/.ssh/known_hosts"
SYSTEM_HOSTS = Path("/etc/ssh/ssh_known_hosts")


class Sftp(SFTPFileSystem):  # type: ignore[misc]
    """fsspec's accepts any server, waits without limit, and replaces files in a rename."""

    cachable = False

    def __init__(self, place: Place, access: Access) -> None:
        self._place, self._access = place, access
        super().__init__(place.host)

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            self._load_hosts()
            if self._access.ssh_key is not None:
                _check_text(self._access.ssh_key)
            self._log_in()
            transport = self.client.get_transport()
            assert transport is not None
            transport.set_keepalive(KEEPALIVE_S)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(TIMEOUT_S)
        except BaseException:
            self.client.close()
            raise

    def _load_hosts(self) -> None:
        """The given file alone, or the user's and the machine's."""
        given = self._access.known_hosts
        files = (given,) if given else (Path(os.path.expanduser(USER_HOSTS)), SYSTEM_HOSTS)
        for path in files:
            if given or path.is_file():
                _check_text(path)
                self.client.load_system_host_keys(str(path))

    def _log_in(self) -> None:
        access, place = self._access, self._place
        searches = access.ssh_key is None and access.password is None
        try:
            self.client.connect(
                place.host,
                port=place.port or paramiko.config.SSH_PORT,
                username=place.user,
                password=access.password if access.ssh_key is None else None,
                key_filename=str(access.ssh_key) if access.ssh_key else None,
                passphrase=access.password if access.ssh_key else None,
                allow_agent=searches,
                look_for_keys=searches,
                timeout=TIMEOUT_S,
                banner_timeout=TIMEOUT_S,
                auth_timeout=TIMEOUT_S,
                channel_timeout=TIMEOUT_S,
            )
        except paramiko.BadHostKeyException:
            raise TargetRefused(
                f"{place.host} shows another host key than before: somebody may stand between. If "
                "the server was set up again, remove its old key from known_hosts and add the new "
                "one"
            ) from None
        except paramiko.AuthenticationException as error:
            if any(words in str(error) for words in UNDECIDED):
                raise
            raise TargetRefused(
                f"{place} refuses this user ({error}): correct user, password or --ssh-key"
            ) from None
        except paramiko.SSHException as error:
            if "not found in known_hosts" not in str(error):
                raise
            port = f"-p {place.port} " if place.port else ""
            raise TargetRefused(
                f"the host key of {place.host} is not known: run 'ssh-keyscan {port}{place.host} "
                f">> {self._access.known_hosts or '~/.ssh/known_hosts'}', and compare its "
                "fingerprint with the server's ('ssh-keygen -lf' on both)"
            ) from None

    def mv(self, old: str, new: str, **_: object) -> None:
        """Rename a file; fails where the new name is taken, unlike fsspec's."""
        self.ftp.rename(old, new)

    def close(self) -> None:
        self.client.close()


def _check_text(path: Path) -> None:
    """Raise TargetRefused for a file of keys that SSH cannot read, or not its first line."""
    read_text(path, TargetRefused)
    if path.read_bytes().startswith(codecs.BOM_UTF8):
        raise TargetRefused(
            f"{path} begins with a byte order mark, which SSH does not read: save it without one"
        )
