"""S7, MQTT and OPC UA at a station that changes its product: whose verdict each one has."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import paho.mqtt.client as paho
import pytest
from asyncua.client.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge.bridge.line_requests import Failure
from edge.events.event import Inspection
from edge.events.subscriber import events
from tests.support.bridge.changing_line import changing_line
from tests.support.bridge.modbus import valid
from tests.support.bridge.mqtt import Broker, needs_mosquitto
from tests.support.bridge.opcua import Heard, connected
from tests.support.bridge.process import bridge_process
from tests.support.bridge.s7 import BLOCK, S7Plc
from tests.support.ports import free_ports
from tests.support.running_station import Running

pytestmark = needs_mosquitto
RECIPES = ("--recipe", "1=lid", "--recipe", "2=twin")
Numbers = dict[int, int]
"""inspection id -> the product number that a wire told with it."""


def until(due: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not due():
        assert time.monotonic() < end
        time.sleep(0.02)


class OverMqtt:
    """A subscriber that commands too."""

    def __init__(self, port: int) -> None:
        self.numbers: Numbers = {}
        self.answers: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "plc")
        self._client.on_connect = lambda client, *_: client.subscribe("draem/station-1/#", qos=1)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.reconnect_delay_set(1, 1)
        self._client.loop_start()

    def _hear(self, client: Any, userdata: Any, message: Any) -> None:
        if message.topic.endswith("/command"):
            return
        told = json.loads(message.payload)
        if message.topic.endswith("/answer"):
            self.answers.append(told)
        elif message.topic.endswith("/state"):
            self.state = told
        elif message.topic.endswith("/result"):
            self.numbers[told["inspection_id"]] = told["product_number"]

    def say(self, payload: str, *, retain: bool = False) -> None:
        sent = self._client.publish("draem/station-1/command", payload, qos=1, retain=retain)
        sent.wait_for_publish(10)

    def answered(self, identity: object) -> dict[str, Any]:
        """The last answer to a command, once there is one that is final."""
        until(lambda: [a for a in self.answers if a["id"] == identity and a["state"] != "loading"])
        return [a for a in self.answers if a["id"] == identity][-1]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class OverOpcua:
    """A client on a loop of its own thread: hears every result, and prepares recipes."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.heard, self.prepared = Heard(), Heard()
        self._wait(self._begin(Client(url)))

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _begin(self, client: Client) -> None:
        self._client = client
        self._system, self._space = await connected(client)
        for handler, name in ((self.heard, "ResultReady"), (self.prepared, "RecipePrepared")):
            await handler.subscribe(client, self._system, f"{self._space}:{name}EventType")

    @property
    def numbers(self) -> Numbers:
        return {int(e.ResultId): int(e.ExternalRecipeId) for e in self.heard.events}

    def prepare(self, external: str, internal: str = "") -> list[Any]:
        name = f"{self._space}:PrepareRecipe"
        found: list[Any] = self._wait(self._system.call_method(name, external, internal))
        return found

    def value(self, name: str) -> Any:
        async def read() -> Any:
            return await (await self._system.get_child(f"{self._space}:{name}")).read_value()

        return self._wait(read())

    def close(self) -> None:
        self._wait(self._client.disconnect())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Running]:
    """A line that changes its product at once."""
    with changing_line(tmp_path) as (made, loader):
        loader.go.set()
        yield made


def opened_wires(
    stack: ExitStack, station: Running, folder: Path
) -> tuple[S7Plc, OverMqtt, OverOpcua]:
    """A bridge for each of the three, and who is at its other end."""
    broker = Broker(folder)
    stack.callback(broker.kill)
    s7, port = S7Plc(), free_ports(1)[0]
    stack.callback(s7.stop)
    mqtt = OverMqtt(broker.port)
    stack.callback(mqtt.close)
    bridge_process(stack, station, folder, "opcua", "--listen", f"127.0.0.1:{port}", *RECIPES)
    bridge_process(stack, station, folder, "mqtt", "--broker", f"127.0.0.1:{broker.port}", *RECIPES)
    bridge_process(
        stack,
        station,
        folder,
        "s7",
        "--s7",
        f"127.0.0.1:{s7.port}",
        "--block",
        str(BLOCK),
        *RECIPES,
    )
    opcua = OverOpcua(f"opc.tcp://127.0.0.1:{port}")
    stack.callback(opcua.close)
    return s7, mqtt, opcua


def products_judged(station: Running, folder: Path, newest: int) -> Numbers:
    """The numbers of the products that have judged, from the line's log."""
    due: Numbers = {}
    for event in events(station.endpoint, folder / "cursor.json"):
        if isinstance(event.header, Inspection):
            due[event.header.inspection_id] = {"lid": 1, "twin": 2}[event.header.product]
            if event.header.inspection_id >= newest:
                break
    return due


def test_plc_changes_the_product_over_s7_mqtt_and_opcua_and_each_verdict_names_its_own(
    station: Running, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        s7, mqtt, opcua = opened_wires(stack, station, tmp_path)
        block: Numbers = {}

        def scan() -> dict[str, int]:
            """The PLC's cycle; what it reads of each result."""
            s7.write()
            found = s7.read()
            if valid(found):
                block[found["inspection_id"]] = found["product"]
            return found

        def scan_until(due: Callable[[dict[str, int]], Any]) -> None:
            until(lambda: due(scan()))

        scan_until(lambda v: block and mqtt.numbers and opcua.numbers)
        s7.command, s7.product = 3, 2
        scan_until(lambda v: v["command_ack"] == 3)
        assert s7.read()["product_running"] == 2
        scan_until(lambda v: v["product"] == 2)
        mqtt.say('{"product": 1, "id": "a7"}')
        scan_until(lambda v: v["product"] == 1)
        answer = mqtt.answered("a7")
        assert (answer["state"], answer["product"], answer["failure"]) == ("done", "lid", 0)
        until(lambda: mqtt.state["product_number"] == 1)
        assert opcua.prepare("2")[0] == "twin"
        scan_until(lambda v: v["product"] == 2 and opcua.prepared.events)
        (prepared,) = opcua.prepared.events
        assert (prepared.ExternalId, prepared.InternalId) == ("2", "twin")
        until(lambda: opcua.value("RecipeState") == "Prepared")
        assert opcua.value("ExternalRecipeId") == "2"
        assert opcua.prepare("", "twin") == ["twin", True, 0], "it runs already"
        assert opcua.prepare("9")[1:] == [False, -Failure.UNKNOWN]
        told_by = (block, mqtt.numbers, opcua.numbers)

    due = products_judged(station, tmp_path, max(map(max, told_by)))
    for numbers in told_by:
        assert set(numbers.values()) == {1, 2}
        assert numbers.items() <= due.items(), "each result names the product that judged it"


def test_plc_command_that_a_broker_kept_is_never_carried_out(tmp_path: Path) -> None:
    """Retained, or sent with QoS 1 to a bridge that was away; nor is rubbish."""
    with ExitStack() as stack:
        station, loader = stack.enter_context(changing_line(tmp_path))
        broker = Broker(tmp_path)
        stack.callback(broker.kill)
        mqtt = OverMqtt(broker.port)
        stack.callback(mqtt.close)
        words = ("mqtt", "--broker", f"127.0.0.1:{broker.port}")
        first = bridge_process(stack, station, tmp_path, *words, *RECIPES)
        until(lambda: mqtt.numbers)
        mqtt.say('{"product": 1, "id": 1}')
        assert mqtt.answered(1)["state"] == "done"
        first.kill()
        first.wait()
        mqtt.say('{"product": 2, "id": "queued"}')
        mqtt.say('{"product": 2, "id": "kept"}', retain=True)
        bridge_process(stack, station, tmp_path, *words, *RECIPES)
        assert mqtt.answered("kept")["failure"] == Failure.STALE
        for payload in ("rubbish", '{"product": true}', '{"product": 2, "and": 1}', "x" * 9999):
            count = len(mqtt.answers)
            mqtt.say(payload)
            until(lambda count=count: len(mqtt.answers) > count)  # type: ignore[misc]
            assert mqtt.answers[-1]["failure"] == Failure.NO_COMMAND
        mqtt.say('{"product": 7, "id": "none"}')
        assert mqtt.answered("none")["failure"] == Failure.UNKNOWN
        assert not [a for a in mqtt.answers if a["id"] == "queued" and a["state"] != "failed"]
        until(lambda: mqtt.state["product"] == "lid")
        assert loader.asked == [], "the line was never asked to change"
