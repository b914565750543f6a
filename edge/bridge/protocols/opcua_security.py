"""Who comes in to the OPC UA server: its policies, its certificate, its users (asyncua)."""

import logging
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.bridge.feed import BridgeError

NAMESPACE = "urn:draem:vision"


@dataclass(frozen=True)
class OpcuaSecurity:
    """Where the server listens and whom it lets in: the login, the clients' certificates.

    With neither it is open, and in the clear. Its own certificate is kept in `folder`.
    """

    host: str
    port: int
    login: tuple[str, str] | None
    clients: frozenset[bytes]
    folder: Path

    @property
    def locked(self) -> bool:
        return self.login is not None or bool(self.clients)


def read_clients(folder: Path | None) -> frozenset[bytes]:
    """The certificates of a folder (*.der, *.pem), as DER. Raises BridgeError for what is none."""
    if folder is None:
        return frozenset()
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".der", ".pem")]
    if not files:
        raise BridgeError(f"{folder} has no *.der or *.pem: put the clients' certificates there")
    return frozenset(map(_certificate, files))


def _certificate(path: Path) -> bytes:
    raw = path.read_bytes()
    load = (
        x509.load_pem_x509_certificate if path.suffix == ".pem" else x509.load_der_x509_certificate
    )
    try:
        return load(raw).public_bytes(Encoding.DER)
    except ValueError:
        raise BridgeError(
            f"{path} is no certificate: export the client's anew, or remove it"
        ) from None


class Users(UserManager):
    """asyncua's user manager; nobody is an administrator."""

    def __init__(self, security: OpcuaSecurity) -> None:
        self._security = security

    def get_user(
        self,
        iserver: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> User | None:
        """asyncua's question, once it has seen that a certificate's key is there; None refuses."""
        if username is None:
            return User(role=UserRole.User) if certificate in self._security.clients else None
        if self._security.login is None:
            return None
        pairs = zip((username, password or ""), self._security.login, strict=True)
        same = [secrets.compare_digest(a.encode(), b.encode()) for a, b in pairs]
        return User(role=UserRole.User) if all(same) else None


async def server_of(security: OpcuaSecurity) -> Server:
    """A server with the security's policies; its certificate is made once and kept."""
    # It tells of each session, and of our errors a second time.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server(user_manager=Users(security)) if security.locked else Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://{security.host}:{security.port}")
    server.set_server_name("draem")
    await server.set_application_uri(NAMESPACE)
    if not security.locked:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        return server
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    login = [ua.UserNameIdentityToken] if security.login else []
    server.set_identity_tokens([*login, *([ua.X509IdentityToken] if security.clients else [])])
    await _load_certificate(server, security.folder)
    return server


async def _load_certificate(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / "opcua.pem", folder / "opcua.der"
    use = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    about = {"commonName": "draem"}
    await setup_self_signed_certificate(
        key, certificate, NAMESPACE, socket.gethostname(), use, about
    )
    key.chmod(0o600)
    await server.load_certificate(certificate)
    await server.load_private_key(key)
