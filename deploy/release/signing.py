"""Ed25519 signatures on seals: who vouches for a release, checked where it is imported."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge.base.files import fsync, write_atomic
from edge.events.keys import KEY_NAME, KeysError
from edge.product.seal import Seal


def make_key(folder: Path, name: str) -> tuple[Path, Path]:
    """A new pair: the private file for its owner alone, and the public one.

    Raises KeysError where there is one: what it signed could never be checked again.
    """
    if not KEY_NAME.fullmatch(name):
        raise KeysError(f"'{name}' cannot be a key's name: use letters, digits, - and _")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, public = folder / f"{name}.release.key", folder / f"{name}.release.pub"
    if public.exists():
        raise KeysError(f"{public} exists: choose another name")
    key = Ed25519PrivateKey.generate()
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeysError(f"{path} exists: choose another name") from None
    with os.fdopen(opened, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_atomic(public, pem)
    fsync(folder)
    return path, public


def sign(seal: Seal, path: Path) -> Seal:
    """The same seal with the signature of the private key in a file. Raises KeysError."""
    key = _read_private(path)
    public = key.public_key().public_bytes_raw().hex()
    signature = key.sign(_message(seal)).hex()
    return seal.model_copy(update={"key": public, "signature": signature})


def check_signature(seal: Seal, path: Path) -> None:
    """Raise KeysError unless the public key in a file has signed this seal."""
    key = _read_public(path)
    if seal.key is None or seal.signature is None:
        raise KeysError(
            f"this release is not signed, and only those signed with {path} are trusted here: "
            "have it sealed with 'draem release seal --key' and exported again"
        )
    if seal.key != key.public_bytes_raw().hex():
        raise KeysError(
            f"this release is signed with another key ({seal.key[:16]}...) than {path}: "
            "ask who made it, or trust the public key of who did"
        )
    try:
        key.verify(bytes.fromhex(seal.signature), _message(seal))
    except InvalidSignature:
        raise KeysError(
            f"the signature of this release is not {path}'s: do not use it, ask who made it"
        ) from None


def _message(seal: Seal) -> bytes:
    """What is signed; its first word keeps the signature from meaning anything elsewhere."""
    return f"draem-release-{seal.seal_schema} {seal.content} {seal.sealed}".encode()


def _read_private(path: Path) -> Ed25519PrivateKey:
    try:
        if path.stat().st_mode & 0o077:
            raise KeysError(f"{path} may be read by others: run 'chmod 600 {path}'")
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise KeysError(f"{path} does not exist: run 'draem release key NAME'") from None
    except (ValueError, TypeError):  # no PEM; or one with a password
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysError(f"{path} is no private key of 'draem release key': name NAME.release.key")
    return key


def _read_public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise KeysError(f"{path} does not exist: copy the signer's NAME.release.pub here") from None
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeysError(f"{path} is no public key of 'draem release key': name NAME.release.pub")
    return key
