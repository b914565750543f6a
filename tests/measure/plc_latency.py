"""How long a verdict takes from its publication to a PLC that reads it: `./just plc-latency`.

A station in this process, `draem bridge modbus` in another, and this one's Modbus client reading
the whole map again and again; in turn with it a bare pymodbus server of as many registers, whose
round trip is what the protocol itself costs here.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.bridge.protocols.registers import READ, size, unpack
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal_reader import JournalReader
from tests.support.ports import free_ports
from tests.support.running_station import Running
from trainer.studies.bench_stages import percentiles

RESULTS = 1000


def serve_bare(port: int) -> None:
    """A server of registers that never change."""

    async def serve() -> None:
        data = SimData(0, values=[0] * size(READ), datatype=DataType.REGISTERS)
        device = SimDevice(0, simdata=[data])
        await ModbusTcpServer(device, address=("127.0.0.1", port)).serve_forever()

    asyncio.run(serve())


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


def main() -> None:
    if sys.argv[1:2] == ["bare"]:
        return serve_bare(int(sys.argv[2]))
    near, bare = free_ports(2)
    seen: dict[int, int] = {}  # inspection id -> when it was first read
    trips: dict[str, list[float]] = {"bridge": [], "bare server": []}
    with TemporaryDirectory() as folder:
        station = Running(Path(folder))
        bridge = [sys.executable, "-m", "draem", "bridge", "modbus", "--plc-silent-ms", "0"]
        bridge += ["--data", folder, "--endpoint", station.endpoint]
        bridge += ["--listen", f"127.0.0.1:{near}"]
        processes = [
            subprocess.Popen(bridge),
            subprocess.Popen(
                [sys.executable, "-m", "tests.measure.plc_latency", "bare", str(bare)]
            ),
        ]
        try:
            clients = connected(near), connected(bare)
            while len(seen) < RESULTS:
                found, trip = read(clients[0], "read_input_registers")
                now = time.monotonic_ns()
                trips["bridge"].append(trip)
                if found["inspection_id"]:
                    seen.setdefault(found["inspection_id"], now)
                trips["bare server"].append(read(clients[1], "read_holding_registers")[1])
        finally:
            for process in processes:
                process.terminate()
            station.close()
        ages = [
            (seen[header.inspection_id] - header.published_ns) / 1e6
            for header in published(Path(folder) / station.settings.station)
            if header.inspection_id in seen
        ]
    ages = ages[10:]
    figures = {"from publishing to being read, ms": percentiles(ages)}
    figures |= {f"round trip, {name}, ms": percentiles(found) for name, found in trips.items()}
    print(json.dumps({"results": len(ages), **figures}, indent=2))


def published(folder: Path) -> list[Inspection]:
    """The inspections of a station's log."""
    with JournalReader(folder) as reader:
        headers = [decode(message).header for message in reader.page(0, 1_000_000)]
    return [header for header in headers if isinstance(header, Inspection)]


if __name__ == "__main__":
    main()
