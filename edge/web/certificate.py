"""The page's self-made certificate: made once, kept, so that a browser asks once."""

import ipaddress
import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.base.files import write_atomic

CERTIFICATE, KEY = "certificate.pem", "certificate.key"
LIFE = timedelta(days=365 * 10)


def make_certificate(folder: Path, names: Iterable[str]) -> tuple[Path, Path]:
    """The certificate and its key in a folder, for this host and the given names."""
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not (certificate.is_file() and key.is_file()):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = ec.generate_private_key(ec.SECP256R1())
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        written = private.private_bytes(pem, pkcs8, serialization.NoEncryption())
        write_atomic(key, written, mode=0o600)
        write_atomic(certificate, _signed(private, names).public_bytes(pem))
    return certificate, key


def _signed(private: ec.EllipticCurvePrivateKey, names: Iterable[str]) -> x509.Certificate:
    host = socket.gethostname()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    known = dict.fromkeys([host, "localhost", "127.0.0.1", *names])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in known]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(private, hashes.SHA256())
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
