"""Who may connect to a station: `allowed.toml` in its folder of keys.

The file names each client with its role and public key. It is read at each connection and request,
so a change applies at once.
"""

import logging
import tomllib
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge.base.files import read_text, write_atomic
from edge.base.os_errors import how_to_fix
from edge.events.cursors import Role
from edge.events.keys import STATION_KEY, Z85_KEY, KeysError, read_pair

log = logging.getLogger(__name__)

ALLOWED = "allowed.toml"
MAX_LOGGED_KEYS = 1000


class AllowedClient(BaseModel):
    """A client that may connect, and as what."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Role
    key: str = Field(pattern=Z85_KEY)


_CLIENTS = TypeAdapter(dict[str, AllowedClient])


def read_allowed(folder: Path) -> dict[str, AllowedClient]:
    """The allowed clients by name; none if there is no list. Raises KeysError."""
    path = folder / ALLOWED
    try:
        return _CLIENTS.validate_python(tomllib.loads(read_text(path, KeysError)))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KeysError(
            f"{path} cannot be read ({error.strerror}), so all clients are refused: "
            f"{how_to_fix(error) or 'correct it'}"
        ) from error
    except (ValueError, ValidationError) as error:
        raise KeysError(
            f"{path} is malformed, so all clients are refused: each client is [name] with role = "
            f"one of {', '.join(get_args(Role))} and key = its public key"
        ) from error


def refuse_writable(folder: Path) -> None:
    """Raise KeysError where others may write to the folder or the list, and so allow themselves."""
    entered = folder.stat().st_mode & 0o011  # a list inside a closed folder is out of reach
    for path, mode in ((folder, 700), (folder / ALLOWED, 600))[: 2 if entered else 1]:
        if path.exists() and path.stat().st_mode & 0o022:
            raise KeysError(
                f"{path} may be written by others, so all clients are refused: run "
                f"'chmod {mode} {path}', and check the list"
            )


def write_allowed(folder: Path, clients: dict[str, AllowedClient]) -> None:
    """Replace the list atomically."""
    tables = (f'[{name}]\nrole = "{c.role}"\nkey = "{c.key}"\n' for name, c in clients.items())
    write_atomic(folder / ALLOWED, "\n".join(tables).encode())


class AccessList:
    """The station's key pair, and the clients that may connect; usable from any thread.

    Raises KeysError if the keys cannot be used, or others could change them.
    """

    def __init__(self, folder: Path) -> None:
        self.pair = read_pair(folder / f"{STATION_KEY}.key")
        refuse_writable(folder)
        self._folder = folder
        self._refused: set[bytes] = set()
        self._logged_error = ""
        read_allowed(folder)  # so that a mistake is reported at the start

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a key may connect; ZeroMQ's authenticator calls it for each connection."""
        known = self.client(key.decode()) is not None
        if known:
            self._refused.discard(key)
        elif key not in self._refused and len(self._refused) < MAX_LOGGED_KEYS:
            self._refused.add(key)  # logged once, since its owner retries forever
            log.warning("refused a client with the unlisted key %s", key.decode())
        return known

    def client(self, key: str) -> tuple[str, Role] | None:
        """Name and role of the owner of a public key, None if it is not listed."""
        try:
            refuse_writable(self._folder)
            clients = read_allowed(self._folder)
        except (KeysError, OSError) as error:
            if str(error) != self._logged_error:
                log.error("%s", error)
            self._logged_error = str(error)
            return None
        self._logged_error = ""
        return {c.key: (name, c.role) for name, c in clients.items()}.get(key)
