"""OPC UA in the terms of OPC 40100-1 (machine vision), without its full nodeset (asyncua).

Objects/VisionSystem: CurrentState, Trouble, Heartbeat, counts; the event ResultReady for each
verdict that came in time; the method GetLatestResult, which gives what is valid at that moment and
NG otherwise; the method PrepareRecipe, which says whether the line runs that product.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.methods import uamethod
from asyncua.common.node import Node
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.bridge.feed import BridgeError, Feed
from edge.bridge.gate import Signals, Trouble
from edge.event import Inspection

log = logging.getLogger(__name__)

NAMESPACE = "urn:draem:vision"
LOOK_S = 0.05
COMPLETED = 1  # ResultState of OPC 40100-1
STATES = {
    Trouble.STARTING: "Preoperational",
    Trouble.LINE_SILENT: "Error",
    Trouble.LINE_FAULT: "Error",
    Trouble.LOG_SILENT: "Error",
    Trouble.LINE_PAUSED: "Halted",
}
"""In all others the line judges each part by itself: ContinuousExecution."""

FIELDS: tuple[tuple[str, ua.VariantType], ...] = (
    ("ResultId", ua.VariantType.String),
    ("IsPartial", ua.VariantType.Boolean),
    ("ResultState", ua.VariantType.Int32),
    ("InternalRecipeId", ua.VariantType.String),
    ("InternalConfigurationId", ua.VariantType.String),
    ("JobId", ua.VariantType.String),
    ("CreationTime", ua.VariantType.DateTime),
    ("Verdict", ua.VariantType.String),
    ("Score", ua.VariantType.Double),
    ("TriggerId", ua.VariantType.Int64),
    ("Encoder", ua.VariantType.Int64),
    ("PartId", ua.VariantType.String),
)


@dataclass(frozen=True)
class Door:
    """Where the server listens and whom it lets in: with a login nobody else, and encrypted."""

    host: str
    port: int
    login: tuple[str, str] | None
    folder: Path
    deadline_s: float


class OneUser(UserManager):
    """asyncua's user manager for one name and password; nobody is an administrator."""

    def __init__(self, login: tuple[str, str]) -> None:
        self._login = login

    def get_user(
        self,
        iserver: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> User | None:
        """asyncua's question; None refuses."""
        pairs = zip((username or "", password or ""), self._login, strict=True)
        same = [secrets.compare_digest(a.encode(), b.encode()) for a, b in pairs]
        return User(role=UserRole.User) if all(same) else None


def result_of(inspection: Inspection | None) -> dict[str, Any]:
    """The fields of a result; without one, no id and NG."""
    if inspection is None:
        empty: dict[str, Any] = dict.fromkeys((name for name, _ in FIELDS), "")
        return empty | {
            "IsPartial": False, "ResultState": 0, "CreationTime": datetime.now(UTC),
            "Verdict": "NG", "Score": 0.0, "TriggerId": 0, "Encoder": 0,
        }  # fmt: skip
    return {
        "ResultId": str(inspection.inspection_id),
        "IsPartial": False,
        "ResultState": COMPLETED,
        "InternalRecipeId": inspection.product,
        "InternalConfigurationId": inspection.version,
        "JobId": str(inspection.trigger_id or inspection.frame_id),
        "CreationTime": datetime.fromisoformat(inspection.captured_at),
        "Verdict": inspection.verdict,
        "Score": inspection.score or 0.0,
        "TriggerId": inspection.trigger_id or 0,
        "Encoder": inspection.encoder or 0,
        "PartId": inspection.part_id or "",
    }


class VisionSystem:
    """The server's nodes, fed from a gate. Made by `serve`."""

    def __init__(
        self, server: Server, feed: Feed, results: "asyncio.Queue[Inspection]", deadline_s: float
    ) -> None:
        self._deadline_s = deadline_s
        self._server, self._feed, self._results = server, feed, results
        self._nodes: dict[str, Node] = {}
        self._told: dict[str, Any] = {}
        self._heartbeat = 0
        self._product = ""

    async def build(self) -> None:
        """The object with its variables, methods and event."""
        space = await self._server.register_namespace(NAMESPACE)
        system = await self._server.nodes.objects.add_object(space, "VisionSystem")
        for name, value in self._values(self._feed.signals()).items():
            self._nodes[name] = await system.add_variable(space, name, value)
        outputs = [ua.Argument(Name=name, DataType=_type(kind)) for name, kind in FIELDS]
        await system.add_method(space, "GetLatestResult", self._latest, [], outputs)
        text = ua.Argument(Name="ExternalId", DataType=_type(ua.VariantType.String))
        error = ua.Argument(Name="Error", DataType=_type(ua.VariantType.Int32))
        await system.add_method(space, "PrepareRecipe", self._prepare, [text], [text, error])
        kind = await self._server.create_custom_event_type(
            space, "ResultReadyEventType", properties=list(FIELDS)
        )
        self._ready = await self._server.get_event_generator(kind, system.nodeid)

    async def turn(self) -> None:
        """Tell what has changed, and each new result."""
        for name, value in self._values(self._feed.signals()).items():
            if self._told.get(name) != value:
                await self._nodes[name].write_value(value)
                self._told[name] = value
        while not self._results.empty():
            inspection = self._results.get_nowait()
            if self._feed.age_s(inspection) >= self._deadline_s:
                continue
            self._product = inspection.product
            for name, value in result_of(inspection).items():
                setattr(self._ready.event, name, value)
            await self._ready.trigger(message=f"part {inspection.trigger_id}")

    def _values(self, signals: Signals) -> dict[str, Any]:
        self._heartbeat += 1
        return {
            "CurrentState": STATES.get(signals.trouble, "ContinuousExecution"),
            "Trouble": Trouble(signals.trouble).name.lower(),
            "Heartbeat": self._heartbeat,
            **{f"Count_{name}": count for name, count in signals.counts.items()},
        }

    @uamethod
    async def _latest(self, parent: Any) -> tuple[Any, ...]:
        signals = self._feed.signals()
        found = result_of(signals.result)
        return tuple(ua.Variant(found[name], kind) for name, kind in FIELDS)

    @uamethod
    async def _prepare(self, parent: Any, name: str) -> tuple[Any, ...]:
        runs = name == self._product
        return self._product, ua.Variant(0 if runs else 1, ua.VariantType.Int32)


def _type(kind: ua.VariantType) -> ua.NodeId:
    return ua.NodeId(ua.Int32(kind.value))


async def serve(
    make_feed: Callable[[Callable[[Inspection], None]], Feed], door: Door, stop: asyncio.Event
) -> Feed:
    """Serve until `stop` is set or the feed has died. Raises BridgeError where it cannot listen."""
    results: asyncio.Queue[Inspection] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    server = await _locked(door)
    with make_feed(lambda one: _hand_over(loop, results, one)) as feed:
        system = VisionSystem(server, feed, results, door.deadline_s)
        await system.build()
        try:
            await server.start()
        except OSError as error:
            raise BridgeError(
                f"cannot listen on {door.host}:{door.port} ({error}): another program has it: "
                "choose another --listen"
            ) from error
        log.info("OPC UA on opc.tcp://%s:%d", door.host, door.port)
        try:
            while not stop.is_set() and feed.died is None:
                await system.turn()
                await asyncio.sleep(LOOK_S)
        finally:
            await server.stop()
    return feed


def _hand_over(
    loop: asyncio.AbstractEventLoop, results: "asyncio.Queue[Inspection]", one: Inspection
) -> None:
    """From the feed's thread."""
    loop.call_soon_threadsafe(results.put_nowait, one)


async def _locked(door: Door) -> Server:
    """A server with the door's policies; its certificate is made once and kept."""
    # It tells of each session, and of our errors a second time.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server(user_manager=OneUser(door.login)) if door.login else Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://{door.host}:{door.port}")
    server.set_server_name("draem")
    await server.set_application_uri(NAMESPACE)
    if door.login is None:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        return server
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    server.set_identity_tokens([ua.UserNameIdentityToken])
    door.folder.mkdir(parents=True, exist_ok=True)
    key, certificate = door.folder / "opcua.pem", door.folder / "opcua.der"
    use = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    about = {"commonName": "draem"}
    await setup_self_signed_certificate(
        key, certificate, NAMESPACE, socket.gethostname(), use, about
    )
    key.chmod(0o600)
    await server.load_certificate(certificate)
    await server.load_private_key(key)
    return server
