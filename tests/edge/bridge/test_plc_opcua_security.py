"""Who may connect to `draem bridge opcua`: by login or certificate, always encrypted."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncua.client.client import Client
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua import NodeId
from asyncua.ua.uaerrors import UaError
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.bridge.protocols.opcua_security import OpcuaSecurity, Users
from tests.support.bridge.opcua import Bridge, listening
from tests.support.running_station import Running

Pair = tuple[Path, Path]


async def certificate_of(folder: Path, name: str) -> tuple[Path, Path]:
    """A client's own certificate and its key."""
    key, certificate = folder / f"{name}.key.pem", folder / f"{name}.der"
    use, about = [ExtendedKeyUsageOID.CLIENT_AUTH], {"commonName": name}
    await setup_self_signed_certificate(key, certificate, "urn:plc", "plc", use, about)
    return certificate, key


@pytest.fixture(scope="module")
def plc(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The only certificate in its folder, and its key, which is elsewhere."""
    known = tmp_path_factory.mktemp("clients")
    certificate, key = asyncio.run(certificate_of(known, "plc"))
    return certificate, key.rename(tmp_path_factory.mktemp("keys") / key.name)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, plc: Pair) -> Iterator[Bridge]:
    """It lets in one certificate and one login, and never shows the password."""
    folder = tmp_path_factory.mktemp("station")
    login = folder / "login"
    login.write_text("plant:s3cret-word\n")
    station = Running(folder)
    made = Bridge(station, "--clients", str(plc[0].parent), "--login", str(login))
    asyncio.run(listening(made.port))
    yield made
    said = made.close()
    station.close()
    assert "Traceback" not in said
    assert "s3cret-word" not in said
    kept = folder / station.settings.station / "opcua.pem"
    assert kept.stat().st_mode & 0o077 == 0


def test_a_client_comes_in_by_its_certificate_and_no_other_does(
    bridge: Bridge, plc: Pair, tmp_path: Path
) -> None:
    async def comes_in(channel: Pair, user: Pair | None) -> bool:
        """Encrypted with one certificate, and shown to be somebody by another."""
        client = Client(bridge.url)
        client.application_uri = "urn:plc"
        await client.set_security(SecurityPolicyBasic256Sha256, str(channel[0]), str(channel[1]))
        if user is not None:
            await client.load_client_certificate(str(user[0]))
            await client.load_private_key(user[1])
        try:
            await client.connect()
            await client.get_node(NodeId(2258)).read_value()  # type: ignore[arg-type]
        except (UaError, ConnectionError, TimeoutError):
            return False
        await client.disconnect()
        return True

    async def talk() -> list[bool]:
        stolen = (plc[0], stranger[1])  # another's certificate without its key
        return [
            await comes_in(stranger, plc),
            await comes_in(plc, stranger),
            await comes_in(stranger, stolen),
            await comes_in(plc, None),
        ]

    stranger = asyncio.run(certificate_of(tmp_path, "stranger"))
    assert asyncio.run(talk()) == [True, False, False, False]


def test_nobody_comes_in_by_what_was_not_given(tmp_path: Path) -> None:
    only_login = Users(OpcuaSecurity("", 0, ("plant", "word"), frozenset(), tmp_path))
    only_clients = Users(OpcuaSecurity("", 0, None, frozenset({b"plc"}), tmp_path))
    assert only_login.get_user(None, "plant", "word")
    assert only_clients.get_user(None, certificate=b"plc")
    for certificate in (None, b"", b"plc"):
        assert only_login.get_user(None, certificate=certificate) is None
    for user, password in (("plant", "word"), ("", ""), ("plant", None)):
        assert only_clients.get_user(None, user, password) is None


def test_with_a_login_nobody_else_comes_in_and_all_is_encrypted(bridge: Bridge, plc: Pair) -> None:
    certificate, key = plc

    async def talk() -> list[str]:
        outcomes = []
        for user, password, locked in (
            ("plant", "s3cret-word", True),
            ("plant", "wrong", True),
            (None, None, True),
            ("plant", "s3cret-word", False),
        ):
            client = Client(bridge.url)
            client.application_uri = "urn:plc"
            if user:
                client.set_user(user)
                client.set_password(password or "")
            try:
                if locked:
                    policy = SecurityPolicyBasic256Sha256
                    await client.set_security(policy, str(certificate), str(key))
                await client.connect()
                await client.get_node(NodeId(2258)).read_value()  # type: ignore[arg-type]
                await client.disconnect()
                outcomes.append("in")
            except Exception as error:  # noqa: BLE001 - asyncua has no error of its own for this
                outcomes.append(type(error).__name__)
        return outcomes

    outcomes = asyncio.run(talk())
    assert outcomes[0] == "in", outcomes
    assert "in" not in outcomes[1:], outcomes
