"""Who may talk to a station: CURVE key pairs, and the list of public keys that are let in.

`keys/NAME.key` is a pair, for its owner alone; `keys/NAME.pub` is its public half; the station's
own pair is `server.key`. `keys/allowed.toml` names each client with its role and public key, and is
read again when it changes.
"""

import logging
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import get_args

import zmq
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge.base.errors import DraemError
from edge.base.files import write_atomic
from edge.events.cursors import Role

log = logging.getLogger(__name__)

STATION_KEY = "server"
ALLOWED = "allowed.toml"
MOST_REFUSED = 1000
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
KEY = r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}$"


class KeysError(DraemError):
    """A key or the list of keys is missing, malformed or open to others."""


class KeyPair(BaseModel):
    """A CURVE key pair in Z85; the secret shows in no printed form."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    public: str = Field(pattern=KEY)
    secret: str = Field(pattern=KEY, repr=False)


class AllowedClient(BaseModel):
    """Somebody who may connect, and what for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Role
    key: str = Field(pattern=KEY)


_CLIENTS = TypeAdapter(dict[str, AllowedClient])


@dataclass(frozen=True)
class Credentials:
    """What a client needs: its own pair, and the public key by which it knows the station."""

    pair: KeyPair
    server: str

    def apply(self, socket: "zmq.Socket[bytes]") -> None:
        """Before connecting."""
        socket.curve_publickey = self.pair.public.encode()
        socket.curve_secretkey = self.pair.secret.encode()
        socket.curve_serverkey = self.server.encode()


def make_pair(folder: Path, name: str) -> Path:
    """A new pair in `folder`, readable by its owner alone. Raises KeysError where there is one."""
    if not KEY_NAME.fullmatch(name):
        raise KeysError(f"'{name}' cannot be a key's name: use letters, digits, - and _")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}.key"
    public, secret = (half.decode() for half in zmq.curve_keypair())
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeysError(
            f"{path} exists: remove it first if its owner shall have a new one"
        ) from None
    with os.fdopen(opened, "w") as file:
        file.write(f'public = "{public}"\nsecret = "{secret}"\n')
    write_atomic(path.with_suffix(".pub"), f"{public}\n".encode())
    return path


def read_pair(path: Path) -> KeyPair:
    """A pair from its file. Raises KeysError, also where others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise KeysError(f"{path} may be read by others: run 'chmod 600 {path}'")
        return KeyPair.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        name = path.stem or STATION_KEY
        raise KeysError(f"{path} does not exist: run 'draem keys make {name}'") from None
    except (ValueError, ValidationError):
        raise KeysError(f"{path} is no key pair: remove it and run 'draem keys make'") from None


def read_public(path: Path) -> str:
    """A public key from its file. Raises KeysError."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(f"{path} cannot be read: copy the station's server.pub here") from error
    if not re.match(KEY, text):
        raise KeysError(f"{path} is no public key: name the file that ends in .pub")
    return text


def read_allowed(folder: Path) -> dict[str, AllowedClient]:
    """The clients that are let in, by name; none where there is no list. Raises KeysError."""
    path = folder / ALLOWED
    try:
        return _CLIENTS.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, ValidationError) as error:
        raise KeysError(
            f"{path} is malformed, so nobody is let in: each client is [name] with role = one of "
            f"{', '.join(get_args(Role))} and key = its public key"
        ) from error


def write_allowed(folder: Path, clients: dict[str, AllowedClient]) -> None:
    """By rename: a running station sees the old list or the new one."""
    tables = (f'[{name}]\nrole = "{c.role}"\nkey = "{c.key}"\n' for name, c in clients.items())
    write_atomic(folder / ALLOWED, "\n".join(tables).encode())


class AccessList:
    """The station's side: its own pair, and who is let in; safe to ask from any thread."""

    def __init__(self, folder: Path) -> None:
        self.pair = read_pair(folder / f"{STATION_KEY}.key")
        if folder.stat().st_mode & 0o022:
            raise KeysError(f"{folder} may be written by others: run 'chmod 700 {folder}'")
        self._folder, self._lock = folder, Lock()
        self._seen: object = None
        self._told = ""
        self._refused: set[bytes] = set()
        self._names: dict[str, tuple[str, Role]] = {}
        read_allowed(folder)  # a mistake is told at the start

    def callback(self, domain: str, key: bytes) -> bool:
        """What ZeroMQ's authenticator asks for each new connection."""
        known = self.client(key.decode())
        if known is None and key not in self._refused and len(self._refused) < MOST_REFUSED:
            self._refused.add(key)  # told once: a client tries again for ever
            log.warning("refused a client with the unlisted key %s", key.decode())
        return known is not None

    def client(self, key: str) -> tuple[str, Role] | None:
        """Name and role of the owner of a public key, None for a stranger."""
        with self._lock:
            self._refresh()
            return self._names.get(key)

    def _refresh(self) -> None:
        try:
            about = (self._folder / ALLOWED).stat()
            now: object = (about.st_mtime_ns, about.st_size, about.st_ino)
        except OSError:
            now = None
        if now == self._seen and now is not None:
            return
        self._names = {}
        try:
            found = read_allowed(self._folder)
        except KeysError as error:
            if str(error) != self._told:
                log.error("%s", error)
            self._seen, self._told = None, str(error)  # and is read again at the next question
            return
        self._seen, self._told = now, ""
        self._refused.clear()
        self._names = {client.key: (name, client.role) for name, client in found.items()}
