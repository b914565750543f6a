"""Who may connect to `draem bridge opcua`: by login or certificate, always encrypted."""

import asyncio
import time
from pathlib import Path

from asyncua.client.client import Client
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua import NodeId
from asyncua.ua.uaerrors import UaError
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.bridge.opcua import Bridge
from tests.support.running_station import Running


async def listening(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        except OSError:
            assert time.monotonic() < end, "the bridge does not listen"
            await asyncio.sleep(0.1)


Pair = tuple[Path, Path]


async def certificate_of(folder: Path, name: str) -> tuple[Path, Path]:
    """A client's own certificate and its key."""
    key, certificate = folder / f"{name}.key.pem", folder / f"{name}.der"
    use, about = [ExtendedKeyUsageOID.CLIENT_AUTH], {"commonName": name}
    await setup_self_signed_certificate(key, certificate, "urn:plc", "plc", use, about)
    return certificate, key


def test_a_client_comes_in_by_its_certificate_and_no_other_does(
    station: Running, tmp_path: Path
) -> None:
    known = tmp_path / "clients"
    known.mkdir()

    async def comes_in(bridge: Bridge, channel: Pair, user: Pair | None) -> bool:
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

    async def talk(bridge: Bridge) -> list[bool]:
        await listening(bridge.port)
        stolen = (plc[0], stranger[1])  # another's certificate without its key
        return [
            await comes_in(bridge, stranger, plc),
            await comes_in(bridge, plc, stranger),
            await comes_in(bridge, stranger, stolen),
            await comes_in(bridge, plc, None),
        ]

    plc = asyncio.run(certificate_of(known, "plc"))
    stranger = asyncio.run(certificate_of(tmp_path, "stranger"))
    plc[1].rename(tmp_path / "plc.key.pem")
    plc = (plc[0], tmp_path / "plc.key.pem")
    bridge = Bridge(station, "--clients", str(known))
    try:
        outcomes = asyncio.run(talk(bridge))
    finally:
        said = bridge.close()
    assert outcomes == [True, False, False, False], said
    assert "Traceback" not in said


def test_with_a_login_nobody_else_comes_in_and_all_is_encrypted(
    station: Running, tmp_path: Path
) -> None:
    login = tmp_path / "login"
    login.write_text("plant:s3cret-word\n")

    async def talk(bridge: Bridge) -> list[str]:
        use, about = [ExtendedKeyUsageOID.CLIENT_AUTH], {"commonName": "plc"}
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.der"
        await setup_self_signed_certificate(key, certificate, "urn:plc", "plc", use, about)
        outcomes = []
        await listening(bridge.port)
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

    bridge = Bridge(station, "--login", str(login))
    try:
        outcomes = asyncio.run(talk(bridge))
    finally:
        said = bridge.close()
    assert outcomes[0] == "in", (outcomes, said)
    assert "in" not in outcomes[1:], outcomes
    assert "s3cret-word" not in said
    kept = Path(station.settings.data) / station.settings.station / "opcua.pem"
    assert kept.stat().st_mode & 0o077 == 0
