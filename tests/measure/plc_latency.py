"""How long a verdict takes from its publication to a PLC that reads it: `./just plc-latency`.

A station in this process, `draem bridge modbus` in another, and this one's Modbus client reading
the whole map again and again; in turn with it a bare pymodbus server of as many registers, whose
round trip is what the protocol itself costs here. With `--wire ethernet-ip` a third process is a
Logix controller whose program copies its array again and again, and a `draem bridge ethernet-ip`
writes into it the same results.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.bridge.protocols.registers import READ, size, unpack
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal_reader import JournalReader
from tests.measure.plc_storm import listens
from tests.support.bridge.logix import accepted
from tests.support.bridge.logix_controller import LogixController
from tests.support.ports import free_ports
from tests.support.running_station import Running
from tests.support.waiting import wait_until
from trainer.studies.bench_stages import percentiles

RESULTS = 1000
SCAN_S = 0.0002  # of the Logix program


def serve_bare(port: int) -> None:
    """A server of registers that never change."""

    async def serve() -> None:
        data = SimData(0, values=[0] * size(READ), datatype=DataType.REGISTERS)
        device = SimDevice(0, simdata=[data])
        await ModbusTcpServer(device, address=("127.0.0.1", port)).serve_forever()

    asyncio.run(serve())


def run_logix(port: int) -> None:
    """A controller; at SIGTERM it prints when its program first saw each result."""
    controller, seen, ended = LogixController(port), dict[int, int](), Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    while not ended.wait(SCAN_S):
        found = accepted(controller.data[:])
        if found and found["inspection_id"]:
            seen.setdefault(found["inspection_id"], time.monotonic_ns())
    print(json.dumps(list(seen.items())))


def read(client: ModbusTcpClient, function: str) -> tuple[dict[str, int], float]:
    """The map and the milliseconds that reading it took."""
    start = time.monotonic_ns()
    answer = getattr(client, function)(0, count=size(READ))
    if answer.isError():
        raise SystemExit(f"the server refuses: {answer}")
    return unpack(READ, answer.registers, "high-first"), (time.monotonic_ns() - start) / 1e6


def connected(port: int) -> ModbusTcpClient:
    client = ModbusTcpClient("127.0.0.1", port=port)
    while not client.connect():
        time.sleep(0.1)
    return client


def bridge(wire: str, folder: str, endpoint: str, *where: str) -> list[str]:
    """The command of a bridge whose PLC has no heartbeat."""
    words = [sys.executable, "-m", "draem", "bridge", wire, *where, "--plc-silent-ms", "0"]
    return [*words, "--data", folder, "--endpoint", endpoint]


def main() -> None:
    if sys.argv[1:2] == ["bare"]:
        return serve_bare(int(sys.argv[2]))
    if sys.argv[1:2] == ["logix"]:
        return run_logix(int(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wire", choices=["ethernet-ip"], help="measured too, in the same run")
    both = parser.parse_args().wire is not None
    near, bare, far = free_ports(3)
    seen: dict[str, dict[int, int]] = {"modbus": {}}
    """Of each wire: inspection id -> when it was first read."""
    trips: dict[str, list[float]] = {"bridge": [], "bare server": []}
    with TemporaryDirectory() as folder, ExitStack() as stack:

        def start(*command: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        station = Running(Path(folder))
        stack.callback(station.close)
        me = (sys.executable, "-m", "tests.measure.plc_latency")
        start(*bridge("modbus", folder, station.endpoint, "--listen", f"127.0.0.1:{near}"))
        start(*me, "bare", str(bare))
        if both:
            logix = start(*me, "logix", str(far))
            wait_until(lambda: listens(far), "the controller listens")
            where = ("--controller", f"127.0.0.1:{far}")
            start(*bridge("ethernet-ip", folder, station.endpoint, *where))
        clients = connected(near), connected(bare)
        while len(seen["modbus"]) < RESULTS:
            found, trip = read(clients[0], "read_input_registers")
            now = time.monotonic_ns()
            trips["bridge"].append(trip)
            if found["inspection_id"]:
                seen["modbus"].setdefault(found["inspection_id"], now)
            trips["bare server"].append(read(clients[1], "read_holding_registers")[1])
        if both:
            logix.terminate()
            seen["ethernet-ip"] = dict(json.loads(logix.communicate()[0]))
        stack.close()
        headers = published(Path(folder) / station.settings.station)
    figures: dict[str, object] = {
        f"from publishing to being read, {wire}, ms": {
            "results": len(times), **percentiles(ages(headers, times))
        }
        for wire, times in seen.items()
    }  # fmt: skip
    figures |= {f"round trip, {name}, ms": percentiles(found) for name, found in trips.items()}
    print(json.dumps(figures, indent=2))


def ages(headers: list[Inspection], seen: dict[int, int]) -> list[float]:
    """Milliseconds from publishing to being read, without the first results."""
    return [
        (seen[header.inspection_id] - header.published_ns) / 1e6
        for header in headers
        if header.inspection_id in seen
    ][10:]


def published(folder: Path) -> list[Inspection]:
    """The inspections of a station's log."""
    with JournalReader(folder) as reader:
        headers = [decode(message).header for message in reader.page(0, 1_000_000)]
    return [header for header in headers if isinstance(header, Inspection)]


if __name__ == "__main__":
    main()
