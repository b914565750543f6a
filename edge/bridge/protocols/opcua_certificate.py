"""The OPC UA server's certificate: made once, never replaced; what is wrong with it is reported.

Clients trust a certificate by hand. A new one, for whatever reason, would cut all of them off until
a person has been at each; so a person decides when there is a new one.
"""

import ipaddress
import logging
import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.base.files import exclusive_lock, write_atomic
from edge.bridge.feed import BridgeError

log = logging.getLogger(__name__)

CERTIFICATE, KEY = "opcua.der", "opcua.pem"
BEGINS = datetime(1970, 1, 1, tzinfo=UTC)  # a device without a clock battery starts then
AT_LEAST = datetime(2026, 1, 1, tzinfo=UTC)  # whatever such a clock says
LIFE = timedelta(days=365 * 20)
WARNING = timedelta(days=60)


def make_certificate(folder: Path, listening: str) -> None:
    """Make certificate and key in the station's folder if there is no certificate."""
    refusal = BridgeError(f"another bridge makes {folder / CERTIFICATE} now: start this one again")
    with exclusive_lock(folder / "opcua.lock", refusal):
        if not (folder / CERTIFICATE).is_file():
            names = [*own_names(), *named(listening)]
            _make(folder, application_uri(folder), names)
            log.warning("made the certificate %s: let all clients trust it", folder / CERTIFICATE)


def application_uri(folder: Path) -> str:
    """That of the certificate, which clients compare; without one, of this host and station."""
    if (folder / CERTIFICATE).is_file():
        for name in _alternatives(read_certificate(folder)):
            if isinstance(name, x509.UniformResourceIdentifier):
                return name.value
    return f"urn:{quote(socket.gethostname())}:draem:{quote(folder.name)}"


def read_certificate(folder: Path) -> x509.Certificate:
    """Raises BridgeError for a file that is none."""
    path = folder / CERTIFICATE
    try:
        return x509.load_der_x509_certificate(path.read_bytes())
    except ValueError:
        raise BridgeError(f"{path} is no certificate (DER): {_anew(folder)}") from None


def check_key(folder: Path) -> None:
    """Raises BridgeError for a key that is missing, none, or that of another certificate."""
    if not (folder / KEY).is_file():
        raise BridgeError(f"{folder / KEY} is missing: restore it; {_anew(folder)}")
    try:
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
    except (ValueError, TypeError):
        why = "is no key (PEM, without a password)"
        raise BridgeError(f"{folder / KEY} {why}: {_anew(folder)}") from None
    if key.public_key() != read_certificate(folder).public_key():
        raise BridgeError(f"{folder / KEY} is the key of another certificate: {_anew(folder)}")


def problem(folder: Path, now: datetime, names: Iterable[str]) -> str:
    """What is wrong with the certificate at `now`, and what to do; empty where nothing is.

    `names` are those by which clients may know this machine.
    """
    path = folder / CERTIFICATE
    try:
        certificate = read_certificate(folder)
    except (OSError, BridgeError) as error:
        return f"{path} cannot be used ({error})"
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    known = {str(getattr(name, "value", "")).lower() for name in _alternatives(certificate)}
    missing = sorted(name for name in set(names) if name.lower() not in known)
    if now > ends:
        text = f"{path} has expired on {ends:%Y-%m-%d}: clients may refuse it"
    elif now < begins:
        return f"{path} is valid from {begins:%Y-%m-%d} on: set this machine's clock"
    elif now > ends - WARNING:
        text = f"{path} expires on {ends:%Y-%m-%d}, in {(ends - now).days} days"
    elif missing:
        text = f"{path} does not name {', '.join(missing)}: clients that compare names refuse it"
    else:
        return ""
    return f"{text}: {_anew(folder)}"


def named(listening: str) -> list[str]:
    """The names that a client must find in the certificate: the host's, and a certain address."""
    anywhere = ipaddress.ip_address(listening).is_unspecified
    return [socket.gethostname(), *([] if anywhere else [listening])]


def own_names() -> list[str]:
    """Host names and addresses by which a client may reach this machine."""
    addresses = (ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips)
    found = [address if isinstance(address, str) else address[0] for address in addresses]
    names = ["localhost", socket.gethostname(), socket.getfqdn()]
    return list(dict.fromkeys([*names, *(text.partition("%")[0] for text in found)]))


def _anew(folder: Path) -> str:
    return (
        f"for a new one delete {folder / CERTIFICATE}, start the bridge again, and let all clients "
        "trust the new one"
    )


def _alternatives(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(
            certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        )
    except x509.ExtensionNotFound:
        return []


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _make(folder: Path, uri: str, names: Iterable[str]) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, "draem"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "draem"),
    ])  # fmt: skip
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True,
        data_encipherment=True, key_agreement=False, key_cert_sign=True, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    known = [_name(text) for text in dict.fromkeys(names) if text.isascii()]
    alternatives = [x509.UniformResourceIdentifier(uri), *known]
    extended = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(max(datetime.now(UTC), AT_LEAST) + LIFE)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .add_extension(usage, critical=False)
        .add_extension(x509.ExtendedKeyUsage(extended), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    os.close(os.open(folder / KEY, os.O_CREAT | os.O_WRONLY, 0o600))
    (folder / KEY).write_bytes(secret)
    write_atomic(folder / CERTIFICATE, certificate.public_bytes(serialization.Encoding.DER))
