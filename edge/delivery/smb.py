"""An SMB share as fsspec has it: one attempt to connect, encrypted, and closed at the end."""

from contextlib import suppress

import smbclient
from fsspec.implementations.smb import SMBFileSystem
from smbprotocol.exceptions import LogonFailure, SMBAuthenticationError, SMBException

from edge.base.tcp import keep_alive
from edge.delivery.errors import TargetRefused
from edge.delivery.place import Access, Place

TIMEOUT_S = 20
SMB_PORT = 445


class Smb(SMBFileSystem):  # type: ignore[misc]
    """fsspec's, whose rename replaces no file."""

    cachable = False

    def __init__(self, place: Place, access: Access) -> None:
        self._place = place
        super().__init__(
            host=place.host,
            port=place.port or SMB_PORT,
            username=place.user,
            password=access.password,
            timeout=TIMEOUT_S,
            encrypt=access.is_encrypted or None,
            share_access="r",
            register_session_retries=0,
        )

    def _connect(self) -> None:
        try:
            super()._connect()
        except (LogonFailure, SMBAuthenticationError) as error:
            raise TargetRefused(
                f"{self._place} refuses this user ({type(error).__name__}): correct user or "
                "password"
            ) from None
        except SMBException as error:
            if "encrypt" not in str(error).lower():
                raise
            raise TargetRefused(
                f"{self._place} cannot encrypt ({error}): update it to SMB 3, or give "
                "--allow-unencrypted"
            ) from None
        # It waits for answers without limit: a server that has vanished must end the connection.
        session = smbclient.register_session(self.host, port=self.port)
        keep_alive(session.connection.transport._sock)

    def close(self) -> None:
        with suppress(Exception):  # it may be cut, and each layer has errors of its own
            smbclient.delete_session(self.host, port=self.port, timeout=1)
