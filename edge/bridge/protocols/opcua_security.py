"""Who comes in to the OPC UA server: its policies, its certificate, its users (asyncua)."""

import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge.bridge.feed import BridgeError
from edge.bridge.protocols.opcua_certificate import (
    CERTIFICATE,
    KEY,
    application_uri,
    check_key,
    make_certificate,
    named,
    problem,
)

NAMESPACE, PRODUCT = "urn:draem:vision", "urn:draem"


@dataclass(frozen=True)
class OpcuaSecurity:
    """Where the server listens and whom it lets in: the login, the clients' certificates.

    With neither it is open, and in the clear. Its own certificate is kept in `folder`, which is
    named after the station.
    """

    host: str
    port: int
    login: tuple[str, str] | None
    clients: frozenset[bytes]
    folder: Path

    @property
    def locked(self) -> bool:
        return self.login is not None or bool(self.clients)

    def warning(self) -> str:
        """What is wrong with the server's certificate now; empty where nothing is."""
        if not self.locked:
            return ""
        return problem(self.folder, datetime.now(UTC), named(self.host))


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
    """A server with the security's policies. Raises BridgeError for a certificate without use."""
    # It tells of each session, and of our errors a second time.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server(user_manager=Users(security)) if security.locked else Server()
    await server.init()
    host = f"[{security.host}]" if ":" in security.host else security.host
    server.set_endpoint(f"opc.tcp://{host}:{security.port}")
    if security.locked:
        await _load_certificate(server, security)
    await _introduce(server, security.folder)
    if not security.locked:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        return server
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    login = [ua.UserNameIdentityToken] if security.login else []
    server.set_identity_tokens([*login, *([ua.X509IdentityToken] if security.clients else [])])
    return server


async def _introduce(server: Server, folder: Path) -> None:
    """Say who we are: clients tell two stations apart by the application's URI."""
    server.set_server_name(f"draem {folder.name}")
    server.product_uri = PRODUCT
    await server.set_application_uri(application_uri(folder))
    built = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    try:
        version = metadata.version("draem")
    except metadata.PackageNotFoundError:
        version = "unknown"
    await server.set_build_info(PRODUCT, "draem", "draem", version, version, built)


async def _load_certificate(server: Server, security: OpcuaSecurity) -> None:
    make_certificate(security.folder, security.host)
    check_key(security.folder)
    await server.load_certificate(security.folder / CERTIFICATE)
    await server.load_private_key(security.folder / KEY)
