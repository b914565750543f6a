"""The certificate of `draem bridge opcua`: made once, never replaced, and reported in time."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua.client.client import Client
from asyncua.crypto.cert_gen import generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

import draem
from edge.bridge.protocols.opcua_certificate import (
    application_uri,
    check_key,
    make_certificate,
    own_names,
    problem,
    read_certificate,
)
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.opcua import Bridge, connected, listening
from tests.support.running_station import Running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A station's, with a certificate."""
    made = tmp_path / "press-4"
    make_certificate(made, "192.0.2.7")
    return made


def own_certificate(folder: Path, days: int, uri: str = "urn:draem:vision") -> bytes:
    """One as an earlier version of this program has made it."""
    folder.mkdir(parents=True, exist_ok=True)
    key, use = generate_private_key(), [ExtendedKeyUsageOID.SERVER_AUTH]
    names = [x509.UniformResourceIdentifier(uri), x509.DNSName(socket.gethostname())]
    made = generate_self_signed_app_certificate(key, "draem", {}, names, use, days)
    (folder / "opcua.der").write_bytes(made.public_bytes(serialization.Encoding.DER))
    (folder / "opcua.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return (folder / "opcua.der").read_bytes()


def test_it_lives_long_begins_in_the_past_and_has_all_names(folder: Path) -> None:
    certificate = read_certificate(folder)
    assert certificate.not_valid_before_utc.year == 1970, "as a device without a clock battery"
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=365 * 15)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    assert {"localhost", socket.gethostname(), socket.getfqdn()} <= set(hosts)
    assert {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.0.2.7")} <= set(addresses)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == [f"urn:{socket.gethostname()}:draem:press-4"] == [application_uri(folder)]
    assert {str(a) for a in addresses} >= {n for n in own_names() if n.count(".") == 3}
    check_key(folder)
    assert (folder / "opcua.pem").stat().st_mode & 0o077 == 0


def test_a_clock_that_starts_in_1970_makes_no_certificate_that_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reset(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(1970, 1, 1, 0, 1, tzinfo=UTC)

    monkeypatch.setattr("edge.bridge.protocols.opcua_certificate.datetime", Reset)
    make_certificate(tmp_path / "press-4", "0.0.0.0")
    assert not problem(tmp_path / "press-4", Reset.now(), [])
    assert not problem(tmp_path / "press-4", datetime.now(UTC), [])


def test_a_changed_host_name_does_not_replace_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, uri = (folder / "opcua.der").read_bytes(), application_uri(folder)
    monkeypatch.setattr("socket.gethostname", lambda: "renamed")
    make_certificate(folder, "192.0.2.7")
    assert (folder / "opcua.der").read_bytes() == before
    assert application_uri(folder) == uri, "clients compare it with the certificate's"
    said = problem(folder, datetime.now(UTC), ["renamed", "localhost", "LOCALHOST"])
    assert "does not name renamed: clients that compare names refuse it" in said
    assert f"for a new one delete {folder}/opcua.der, start the bridge again, and let all" in said


def test_its_end_is_reported_60_days_before(folder: Path) -> None:
    ends = read_certificate(folder).not_valid_after_utc

    def said(days: float) -> str:
        return problem(folder, ends - timedelta(days=days), ["localhost"])

    assert said(61) == ""
    assert f"expires on {ends:%Y-%m-%d}, in 59 days: for a new one delete" in said(59.5)
    assert "in 0 days" in said(0.5)
    assert f"has expired on {ends:%Y-%m-%d}: clients may refuse it" in said(-1)


def test_one_near_its_end_is_served_on_and_reported_in_log_status_and_doctor(
    tmp_path: Path,
    station: Running,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(station.settings.data) / station.settings.station
    before = own_certificate(folder, 30)
    login = tmp_path / "login"
    login.write_text("plant:word\n")
    monkeypatch.setenv("COLUMNS", "400")
    draem.main(["doctor", "--data", str(folder.parent)])
    shown = capsys.readouterr().out
    assert f"OPC UA certificate of {folder.name}" in shown
    assert "in 29 days: for a new one delete" in shown
    bridge = Bridge(station, "--login", str(login))

    async def talk() -> str:
        await listening(bridge.port)
        client = Client(bridge.url)
        client.application_uri = "urn:plc"
        client.set_user("plant")
        client.set_password("word")
        own_certificate(tmp_path, 300, "urn:plc")
        pair = str(tmp_path / "opcua.der"), str(tmp_path / "opcua.pem")
        await client.set_security(SecurityPolicyBasic256Sha256, *pair)
        system, space = await connected(client)
        status = await system.get_child(f"{space}:Certificate")
        found = str(await status.read_value())
        await client.disconnect()
        return found

    assert "in 29 days" in asyncio.run(talk())
    logged = bridge.close()
    assert logged.count("in 29 days: for a new one delete") == 1, logged
    assert (folder / "opcua.der").read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "opcua.pem").unlink(), "opcua.pem is missing: restore it"),
        (lambda f: (f / "opcua.pem").write_text("no"), "opcua.pem is no key"),
        (lambda f: own_key(f), "opcua.pem is the key of another certificate"),
        (lambda f: (f / "opcua.der").write_text("no"), "opcua.der is no certificate"),
        (lambda f: (f / "opcua.der").write_bytes(b""), "opcua.der is no certificate"),
    ],
)
def test_a_pair_that_cannot_be_used_is_refused_and_left(
    spoil: Callable[[Path], object], says: str, folder: Path, tmp_path: Path, mistaken: Mistaken
) -> None:
    spoil(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    login = tmp_path / "login"
    login.write_text("plant:word\n")
    words = ("--simulate", "1", "--data", str(tmp_path), "--station", folder.name)
    said = mistaken("opcua", *words, "--login", str(login))
    assert says in said
    assert f"for a new one delete {folder}/opcua.der" in said
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def own_key(folder: Path) -> None:
    """The key of another certificate in the place of the certificate's."""
    certificate = (folder / "opcua.der").read_bytes()
    own_certificate(folder, 300)
    (folder / "opcua.der").write_bytes(certificate)
