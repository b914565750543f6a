"""`draem bridge opcua` between a real station and asyncua's client."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from asyncua.client.client import Client
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua import NodeId
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.bridge.opcua import FIELDS, STATES
from edge.bridge.opcua_door import NAMESPACE
from edge.bridge.signals import OF_LINE, Trouble
from tests.chaos import free_ports
from tests.conftest import draem
from tests.edge.running import Running


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
        latest = await system.call_method(f"{space}:GetLatestResult")
        found = dict(zip((name for name, _ in FIELDS), latest, strict=True))
        assert int(found["ResultId"]) >= ids[-1]
        name = found["InternalRecipeId"]
        assert (await system.call_method(f"{space}:PrepareRecipe", name))[1] == 0
        assert (await system.call_method(f"{space}:PrepareRecipe", "another"))[1] == 1
        station.controls.paused = True
        await until(state, "Halted")
        station.controls.paused = False
        await until(state, "Operational")
        station.stop.set()
        await until(state, "Error")
        latest = await system.call_method(f"{space}:GetLatestResult")
        found = dict(zip((name for name, _ in FIELDS), latest, strict=True))
        assert (found["ResultId"], found["Verdict"]) == ("", "NG"), "nothing is frozen"
        await client.disconnect()

    bridge = Bridge(station)
    try:
        asyncio.run(talk(bridge))
    finally:
        said = bridge.close()
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


def test_mistakes_are_one_line_each(tmp_path: Path, station: Running) -> None:
    bridge = Bridge(station)
    try:
        asyncio.run(connected_once(bridge))
        for words, says in (
            (["--listen", f"127.0.0.1:{bridge.port}"], "another program has it"),
            (["--listen", "0.0.0.0:4840"], "add --login FILE"),
        ):
            done = draem("bridge", "opcua", *words, cwd=tmp_path)
            assert done.returncode == 2, done.stderr
            assert says in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        bridge.close()


async def connected_once(bridge: Bridge) -> None:
    client = Client(bridge.url)
    await connected(client)
    await client.disconnect()


def test_a_line_that_does_not_judge_never_looks_as_if_it_ran() -> None:
    troubles = set(OF_LINE.values()) - {Trouble.NONE}
    assert troubles <= STATES.keys(), "ContinuousExecution is what remains"
