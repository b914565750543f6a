"""`draem bridge opcua` in a process of its own, and asyncua's client as the PLC."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asyncua.client.client import Client

from edge.bridge.protocols.opcua_security import NAMESPACE
from tests.support.ports import free_ports
from tests.support.running_station import Running


class Bridge:
    def __init__(self, station: Running | Path, *words: str) -> None:
        """The bridge of a station, or with a folder for its data one that simulates its line."""
        self.port = free_ports(1)[0]
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        if isinstance(station, Running):
            data, words = station.settings.data, ("--endpoint", station.endpoint, *words)
        else:
            data, words = station, ("--simulate", "20", *words)
        command = [
            sys.executable, "-m", "draem", "bridge", "opcua", "--data", str(data),
            "--listen", f"127.0.0.1:{self.port}", *words,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def close(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=20)[1]


async def connected(client: Client) -> tuple[Any, int]:
    """The vision system once the server is there, and its namespace."""
    end = time.monotonic() + 60
    while True:
        try:
            await client.connect()
            break
        except (OSError, TimeoutError):
            assert time.monotonic() < end, "the bridge does not listen"
            await asyncio.sleep(0.1)
    space = await client.get_namespace_index(NAMESPACE)
    return await client.nodes.objects.get_child(f"{space}:VisionSystem"), space


async def until(node: Any, wanted: str) -> None:
    end = time.monotonic() + 10
    while (found := await node.read_value()) != wanted:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


async def until_true(due: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not due():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def listening(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        except OSError:
            assert time.monotonic() < end, "the bridge does not listen"
            await asyncio.sleep(0.1)


class Heard:
    """A subscription's handler: keeps the events."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def subscribe(self, client: Client, system: Any, event_type: str) -> None:
        kind = await client.nodes.base_event_type.get_child(event_type)
        subscription = await client.create_subscription(20, self)
        await subscription.subscribe_events(system, kind)

    def event_notification(self, event: Any) -> None:
        self.events.append(event)
