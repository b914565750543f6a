"""CURVE key pairs: `NAME.key` is the pair, for its owner only, `NAME.pub` is its public key.

The station's own pair is `server.key`. Keys are in ZeroMQ's Z85 text (40 characters).
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import zmq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.base.errors import DraemError
from edge.base.files import read_text, write_atomic

STATION_KEY = "server"
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
Z85_KEY = r"^[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}$"


class KeysError(DraemError):
    """A key or the list of keys is missing, malformed, or accessible to others."""


class KeyPair(BaseModel):
    """A CURVE key pair; its secret key is not in any printed form."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    public: str = Field(pattern=Z85_KEY)
    secret: str = Field(pattern=Z85_KEY, repr=False)


@dataclass(frozen=True)
class Credentials:
    """What a client needs: its own pair, and the public key of the station."""

    pair: KeyPair
    server: str

    def apply(self, socket: "zmq.Socket[bytes]") -> None:
        """Set the keys of a socket that is not connected yet."""
        socket.curve_publickey = self.pair.public.encode()
        socket.curve_secretkey = self.pair.secret.encode()
        socket.curve_serverkey = self.server.encode()


def make_pair(folder: Path, name: str) -> Path:
    """Make a pair in `folder`, readable by its owner only. Raises KeysError if there is one."""
    if not KEY_NAME.fullmatch(name):
        raise KeysError(f"'{name}' cannot be a key's name: use letters, digits, - and _")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}.key"
    public, secret = (half.decode() for half in zmq.curve_keypair())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeysError(f"{path} exists: delete it first to make a new pair") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(f'public = "{public}"\nsecret = "{secret}"\n')
    write_atomic(path.with_suffix(".pub"), f"{public}\n".encode())
    return path


def read_pair(path: Path) -> KeyPair:
    """Read a pair from its file. Raises KeysError, also if other users may read it."""
    if path.suffix == ".pub":
        raise KeysError(f"{path} is a public key: name the pair, {path.with_suffix('.key')}")
    try:
        if path.stat().st_mode & 0o077:
            raise KeysError(f"{path} may be read by others: run 'chmod 600 {path}'")
        return KeyPair.model_validate(tomllib.loads(read_text(path, KeysError)))
    except FileNotFoundError:
        name = path.stem or STATION_KEY
        raise KeysError(
            f"{path} does not exist: copy it here, or make it with 'draem keys make {name}'"
        ) from None
    except (ValueError, ValidationError):
        raise KeysError(
            f"{path} is no key pair: name the NAME.key that 'draem keys make' wrote, or restore it "
            "from a backup"
        ) from None


def read_public(path: Path, fix: str = "copy the station's server.pub there") -> str:
    """Read a public key from its file; `fix` is for a missing one. Raises KeysError."""
    try:
        text = read_text(path, KeysError).strip()
    except OSError as error:
        raise KeysError(f"{path} cannot be read ({error.strerror}): {fix}") from error
    if not re.match(Z85_KEY, text):
        raise KeysError(f"{path} is no public key: name the file that ends in .pub")
    return text
