"""`draem bridge opcua` between a real station and asyncua's client."""

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from asyncua.client.client import Client
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua import NodeId
from asyncua.ua.uaerrors import UaError
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.bridge.product_change import Failure
from edge.bridge.protocols.opcua_model import FIELDS, STATES
from edge.bridge.protocols.opcua_security import NAMESPACE
from edge.bridge.signals import OF_LINE, Trouble
from tests.edge.bridge.conftest import Mistaken
from tests.support.ports import free_ports
from tests.support.running_station import Running


class Bridge:
    def __init__(self, station: Running, *words: str) -> None:
        self.port = free_ports(1)[0]
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        command = [
            sys.executable, "-m", "draem", "bridge", "opcua", "--endpoint", station.endpoint,
            "--listen", f"127.0.0.1:{self.port}", "--data", str(station.settings.data), *words,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def close(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=20)[1]


async def connected(client: Client) -> tuple[Any, int]:
    """The vision system once the server is there, and its namespace."""
    end = time.monotonic() + 15
    while True:
        try:
            await client.connect()
            break
        except (OSError, TimeoutError):
            assert time.monotonic() < end, "the bridge does not listen"
            await asyncio.sleep(0.1)
    space = await client.get_namespace_index(NAMESPACE)
    return await client.nodes.objects.get_child(f"{space}:VisionSystem"), space


async def listening(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        except OSError:
            assert time.monotonic() < end, "the bridge does not listen"
            await asyncio.sleep(0.1)


async def until(node: Any, wanted: str) -> None:
    end = time.monotonic() + 10
    while (found := await node.read_value()) != wanted:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


Pair = tuple[Path, Path]


class Heard:
    """A subscription's handler."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.events.append(event)


def test_plc_hears_each_result_and_fetches_the_latest(station: Running) -> None:
    async def talk(bridge: Bridge) -> None:
        client = Client(bridge.url)
        system, space = await connected(client)
        state = await system.get_child(f"{space}:CurrentState")
        await until(state, "Operational")
        heard = Heard()
        kind = await client.nodes.base_event_type.get_child(f"{space}:ResultReadyEventType")
        subscription = await client.create_subscription(20, heard)
        await subscription.subscribe_events(system, kind)
        end = time.monotonic() + 10
        while len(heard.events) < 30:
            assert time.monotonic() < end, len(heard.events)
            await asyncio.sleep(0.05)
        ids = [int(event.ResultId) for event in heard.events]
        assert ids == list(range(ids[0], ids[0] + len(ids))), "in order, none twice"
        assert {event.Verdict for event in heard.events} == {"OK", "NG"}
        for event in heard.events:
            assert (event.Verdict == "NG") == (event.TriggerId % 7 == 0)
            assert not event.IsPartial
            assert event.ResultState == 1
            assert event.InternalRecipeId
            assert event.Encoder == -10 * event.TriggerId
            assert event.PartId == f"lid-{event.TriggerId}"
        latest = await system.call_method(f"{space}:GetLatestResult")
        found = dict(zip((name for name, _ in FIELDS), latest, strict=True))
        assert int(found["ResultId"]) >= ids[-1]
        assert (found["InternalRecipeId"], found["ExternalRecipeId"]) == ("lid", "1")
        prepare = f"{space}:PrepareRecipe"
        assert await system.call_method(prepare, "1", "") == ["lid", True, 0]
        refused = await system.call_method(prepare, "cap", "")
        assert refused == ["cap", False, -Failure.REFUSED], "this line cannot change"
        assert await system.call_method(prepare, "1", "another") == ["", False, -Failure.UNKNOWN]
        await system.call_method(f"{space}:Halt")
        await until(state, "Halted")
        trouble = await system.get_child(f"{space}:Trouble")
        assert await trouble.read_value() == "halted"
        count = len(heard.events)
        latest = await system.call_method(f"{space}:GetLatestResult")
        assert (latest[0], latest[7]) == ("", "NG"), "the line goes on, and nothing is offered"
        await asyncio.sleep(0.3)  # fifteen parts
        assert len(heard.events) <= count + 1, "one may have been on its way"
        await system.call_method(f"{space}:Reset")
        await until(state, "Operational")
        sub_state = await system.get_child(f"{space}:OperationalState")
        assert await sub_state.read_value() == "ContinuousExecution"
        count = len(heard.events)
        while len(heard.events) == count:
            await asyncio.sleep(0.02)
        with pytest.raises(UaError):
            await state.write_value("Operational")  # a client reads the state, and never sets it
        station.controls.paused = True
        await until(state, "Halted")
        await system.call_method(f"{space}:Reset")
        await asyncio.sleep(0.2)
        assert await state.read_value() == "Halted", "whoever paused the line resumes it"
        assert await sub_state.read_value() == ""
        station.controls.paused = False
        await until(state, "Operational")
        station.stop.set()
        await until(state, "Error")
        latest = await system.call_method(f"{space}:GetLatestResult")
        found = dict(zip((name for name, _ in FIELDS), latest, strict=True))
        assert (found["ResultId"], found["Verdict"]) == ("", "NG"), "nothing is frozen"
        await client.disconnect()

    bridge = Bridge(station, "--recipe", "1=lid", "--recipe", "2=cap")
    try:
        asyncio.run(talk(bridge))
    finally:
        said = bridge.close()
    assert "Traceback" not in said


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


def test_mistakes_are_one_line_each(tmp_path: Path, mistaken: Mistaken) -> None:
    empty, rubbish = tmp_path / "empty", tmp_path / "rubbish"
    for folder in (empty, rubbish):
        folder.mkdir()
    (rubbish / "plc.der").write_text("nothing")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for words, says in (
            (["--listen", f"127.0.0.1:{taken.getsockname()[1]}"], "another program has it"),
            (["--listen", "0.0.0.0:4840"], "add --login FILE (user:password) or --clients"),
            (["--clients", str(empty)], "put the clients' certificates there"),
            (["--clients", str(rubbish)], "plc.der is no certificate"),
        ):
            assert says in mistaken("opcua", *words), words


def test_a_line_that_does_not_judge_never_looks_as_if_it_ran() -> None:
    troubles = set(OF_LINE.values()) - {Trouble.NONE}
    assert troubles <= STATES.keys(), "ContinuousExecution is what remains"
