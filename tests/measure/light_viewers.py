"""Viewers of the live page without a browser: what they ask of the page, and nothing is drawn.

Each does what panel.js does: it answers each message, and loads the newest picture when it has the
one before. They stand for people at other machines, so they run at the lowest priority.

  python -m tests.measure.light_viewers ADDRESS COUNT    (the session's cookie on standard input)

It prints `ready` once each viewer has a picture, and then for each line of its input one of JSON:
for each viewer the pictures that came since, as [event, time of the last byte in milliseconds].
"""

import ast
import asyncio
import html
import json
import re
import sys
import time
from typing import Any

import aiohttp
import socketio

from edge.base.priority import LOWEST, yield_to_the_line

SOCKET = "/_nicegui_ws/socket.io"
ELEMENTS = re.compile(r"parseElements\(String\.raw`(.*?)`\)", re.DOTALL)
CLIENT = re.compile(r"query: (\{.*?\}),\n")
SHOW = re.compile(r"return runMethod\((\d+), \"show\", (.*)\)$", re.DOTALL)
LOAD_S = 5.0


class Viewer:
    """One open live page."""

    def __init__(self, http: aiohttp.ClientSession, address: str, cookie: str) -> None:
        self._http, self._address, self._cookie = http, address, cookie
        self._socket = socketio.AsyncClient(http_session=http)
        self._socket.on("run_javascript", self._take)
        self._listeners: dict[int, str] = {}
        self._client = ""
        self._next: dict[str, Any] | None = None
        self._wanted = ""
        self._changed = asyncio.Event()
        self.came: list[tuple[str, float]] = []

    async def open(self) -> None:
        """Load the page and connect as its script does."""
        async with self._http.get(self._address + "/") as answer:
            page = await answer.text()
        elements = json.loads(html.unescape(ELEMENTS.search(page)[1]))  # type: ignore[index]
        for number, element in elements.items():
            for event in element.get("events", ()):
                if event["type"] == "shown":
                    self._listeners[int(number)] = event["listener_id"]
        query = ast.literal_eval(CLIENT.search(page)[1])  # type: ignore[index]
        self._client = query["client_id"]
        query |= {"document_id": self._client, "tab_id": self._client, "old_tab_id": ""}
        query = "&".join(f"{k}={str(v).lower()}" for k, v in query.items())
        await self._socket.connect(
            f"{self._address}/?{query}", socketio_path=SOCKET, transports=["websocket"],
            headers={"Cookie": self._cookie, "Origin": self._address},
        )  # fmt: skip

    async def _take(self, message: dict[str, Any]) -> None:
        found = SHOW.fullmatch(message["code"])
        if found is None:
            return
        number, values = int(found[1]), json.loads(found[2])[0]
        picture = values.get("picture")
        if picture and picture["key"] != self._wanted:
            self._wanted, self._next = picture["key"], picture
            self._changed.set()
        listener = self._listeners[number]
        shown = {"id": number, "client_id": self._client, "listener_id": listener, "args": []}
        await self._socket.emit("event", shown)

    async def look(self) -> None:
        """Load the newest picture, again and again."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            picture, self._next = self._next, None
            if picture is None:
                continue
            async with self._http.get(self._address + picture["url"]) as answer:
                if await answer.read():
                    self.came.append((picture["key"], time.time() * 1000))

    def take(self) -> list[tuple[str, float]]:
        """What came since the last time."""
        came, self.came = self.came, []
        return came


async def main(address: str, count: int) -> None:
    cookie = sys.stdin.readline().strip()
    timeout = aiohttp.ClientTimeout(total=LOAD_S)
    async with aiohttp.ClientSession(headers={"Cookie": cookie}, timeout=timeout) as http:
        viewers = [Viewer(http, address, cookie) for _ in range(count)]
        for viewer in viewers:
            await viewer.open()
        looking = [asyncio.create_task(viewer.look()) for viewer in viewers]
        while not all(viewer.came for viewer in viewers):
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps([viewer.take() for viewer in viewers]), flush=True)
        for task in looking:
            task.cancel()


if __name__ == "__main__":
    yield_to_the_line(LOWEST, LOWEST)
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
