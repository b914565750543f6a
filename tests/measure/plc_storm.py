"""A line with a reject gate, a PLC and everything in between, struck at random: no NG part passes.

`python -m tests.measure.plc_storm --blows 50 --parts 20000` runs an inspector (the real loop, log
and sockets around a stub of an engine), `draem bridge modbus` (or `--wire ethernet-ip`), a PLC and
the line, each in its own process. The line is physics: parts come, and at the gate one passes only
if the PLC has let it before it is there. Inspector, bridge and PLC are killed with -9 or stopped
for a while. Every tenth part is NG. Time runs `SPEED` times as fast as with 20 parts a second and a
cycle of 10 ms.
"""

import argparse
import json
import random
import signal
import socket
import sqlite3
import sys
import time
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from rich.progress import track

from edge.bridge.protocols.dints import HEARTBEAT, to_dints
from edge.bridge.protocols.registers import READ, WRITE, nothing_written, pack, size, unpack
from edge.events.event import Heartbeat
from edge.events.receiver import live
from tests.measure.chaos_processes import Part
from tests.support.bridge.logix import OverNetwork, accepted
from tests.support.bridge.logix_controller import LogixController
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

SPEED = 4
RATE = 20 * SPEED
CYCLE_S = 0.010 / SPEED
DEADLINE_MS = 500
TRAVEL_S = 0.7  # from the camera to the gate: later than any deadline


def move_parts(camera: int, plc: int, count: int, path: Path) -> None:
    """The line: a trigger for each part, and what became of it at the gate."""
    database = opened(path, "gate (trigger_id INTEGER, passed INTEGER)")
    moving: deque[tuple[int, float]] = deque()
    let: set[int] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", plc))
        ear.setblocking(False)
        start, sent = time.monotonic(), 0
        while sent < count or moving:
            now = time.monotonic()
            if sent < count and now >= start + sent / RATE:
                sent += 1
                ear.sendto(f"{sent} {time.monotonic_ns()}".encode(), ("127.0.0.1", camera))
                moving.append((sent, now + TRAVEL_S))
            while True:
                try:
                    let.add(int(ear.recv(64)))
                except BlockingIOError:
                    break
            while moving and moving[0][1] <= now:
                trigger_id = moving.popleft()[0]
                passed = trigger_id in let
                database.execute("INSERT INTO gate VALUES (?, ?)", (trigger_id, passed))
            time.sleep(0.001)


def run_plc(wire: str, port: int, line: int, path: Path) -> None:
    """The PLC's program: a cycle reads the map, takes a valid result once, and acknowledges it.

    What it has taken is in memory that outlives it, as a PLC's retained variables do.
    """
    database = opened(path, "taken (inspection_id INTEGER, trigger_id INTEGER, verdict INTEGER)")
    last = database.execute("SELECT max(inspection_id) FROM taken").fetchone()[0] or 0
    heartbeat = random.randrange(65_536)
    cycle = CYCLES[wire](port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        while True:
            started = time.monotonic()
            heartbeat = (heartbeat + 1) % 65_536
            try:
                found = cycle.run({"plc_heartbeat": heartbeat, "results_ack": last})
            except (ModbusException, OSError):
                time.sleep(CYCLE_S)
                continue
            if found and found["status"] & 16 and found["inspection_id"] > last:
                last = found["inspection_id"]
                row = (last, found["trigger_id"], found["verdict"])
                database.execute("INSERT INTO taken VALUES (?, ?, ?)", row)
                if found["verdict"] == 1:
                    mouth.sendto(str(found["trigger_id"]).encode(), ("127.0.0.1", line))
            time.sleep(max(0.0, started + CYCLE_S - time.monotonic()))


class ModbusCycle:
    """The PLC polls the bridge."""

    def __init__(self, port: int) -> None:
        self._client = ModbusTcpClient("127.0.0.1", port=port, timeout=0.5, retries=0)

    def run(self, said: dict[str, int]) -> dict[str, int] | None:
        """Write, then read the map; None where the bridge does not answer."""
        if not self._client.connect():
            return None
        self._client.write_registers(0, pack(WRITE, nothing_written() | said, "high-first"))
        answer = self._client.read_input_registers(0, count=size(READ))
        return None if answer.isError() else unpack(READ, answer.registers, "high-first")


class LogixCycle:
    """The PLC is a controller, into whose tag the bridge writes."""

    def __init__(self, port: int) -> None:
        self._controller = LogixController(port)

    def run(self, said: dict[str, int]) -> dict[str, int] | None:
        """Write, then copy the array; None where it is not of one moment."""
        dints = to_dints(WRITE, nothing_written() | said)
        self._controller.data[: len(dints)] = dints
        return accepted(self._controller.data[:])


CYCLES: dict[str, type[ModbusCycle | LogixCycle]] = {
    "modbus": ModbusCycle,
    "ethernet-ip": LogixCycle,
}
WIRES = {"modbus": "--listen", "ethernet-ip": "--controller"}


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def exchanging(wire: str, port: int) -> bool:
    """Whether the bridge is there."""
    if wire == "modbus":
        return listens(port)
    program = OverNetwork(port)
    copy = program.copy()
    program.close()
    return copy is not None and copy[HEARTBEAT] != 0


def opened(path: Path, table: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
    return database


ME = "tests.measure.plc_storm"


def storm(folder: Path, blows: int, parts: int, seed: int, wire: str = "modbus") -> dict[str, int]:
    """Run it all; the figures. Raises AssertionError where the gate is wrong."""
    chance = random.Random(seed)
    camera, near, replay, port, line_port = free_ports(5)
    endpoint, replay_at = (f"tcp://127.0.0.1:{port}" for port in (near, replay))
    plc = Part("plc", wire, str(port), str(line_port), str(folder / "plc.db"), module=ME)
    if wire == "ethernet-ip":
        wait_until(lambda: listens(port), "the controller listens")
    struck = {
        "inspector": Part("inspector", str(folder / "log"), str(camera), endpoint, replay_at),
        "bridge": Part(
            "bridge", wire, "--endpoint", endpoint, "--replay", replay_at,
            WIRES[wire], f"127.0.0.1:{port}", "--results", "dequeue", "--buffer", "100",
            "--deadline-ms", str(DEADLINE_MS), "--data", str(folder / "bridge"), module="draem",
        ),
        "plc": plc,
    }  # fmt: skip
    assert any(isinstance(message, Heartbeat) for message in live(endpoint)), "it never began"
    wait_until(lambda: exchanging(wire, port), "bridge and PLC exchange")
    gate = folder / "gate.db"
    line = Part("line", str(camera), str(line_port), str(parts), str(gate), module=ME)
    counts: dict[str, int] = {}
    try:
        pause = max(0.0, parts / RATE / (blows + 1) - 0.5)
        for _ in track(range(blows), "striking", disable=not sys.stderr.isatty()):
            time.sleep(chance.uniform(0, 2 * pause))
            struck["bridge"].restart_if_ended()  # it ends where it begins without its controller
            name = chance.choice(list(struck))
            how = chance.choice(["killed", "frozen"])
            if how == "killed":
                struck[name].kill()
            else:
                struck[name].freeze(chance.uniform(0.2, 1.5))
            counts[f"{name} {how}"] = counts.get(f"{name} {how}", 0) + 1
        while not line.finished():
            struck["bridge"].restart_if_ended()
            time.sleep(0.2)
    finally:
        for part in [*struck.values(), line]:
            part.end()
    return counts | check(folder / "plc.db", gate, parts)


def check(plc: Path, gate: Path, parts: int) -> dict[str, int]:
    """What passed is what the PLC was told OK for; nothing NG passed; no id was taken twice."""
    with sqlite3.connect(plc) as database:
        taken = database.execute("SELECT * FROM taken ORDER BY rowid").fetchall()
    with sqlite3.connect(gate) as database:
        passed = dict(database.execute("SELECT * FROM gate").fetchall())
    assert sorted(passed) == list(range(1, parts + 1)), "the line lost a part"
    ids = [inspection_id for inspection_id, _, _ in taken]
    assert ids == sorted(set(ids)), "an inspection id was taken twice, or out of order"
    wrong = [t for t, is_passed in passed.items() if is_passed and t % 10 == 0]
    assert not wrong, f"NG parts have passed: {wrong}"
    due = {trigger_id for _, trigger_id, verdict in taken if verdict == 1}
    let = {trigger_id for trigger_id, is_passed in passed.items() if is_passed}
    assert let <= due, "a part has passed without an OK"
    good = [t for t in passed if t % 10]
    rejected = [t for t in good if not passed[t]]
    late = due - let  # told OK, but the PLC was killed or stopped before it could let it pass
    assert set(rejected) == set(good) - due | late
    return {
        "parts": parts,
        "taken": len(ids),
        "passed": len(let),
        "NG rejected": parts - len(good),
        "good rejected without a verdict in time": len(rejected),
        "of them told OK to a PLC that was struck before it let them pass": len(late),
    }


def main() -> None:
    role, *words = sys.argv[1:] or [""]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if role == "line":
        return move_parts(int(words[0]), int(words[1]), int(words[2]), Path(words[3]))
    if role == "plc":
        return run_plc(words[0], int(words[1]), int(words[2]), Path(words[3]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blows", type=int, default=50)
    parser.add_argument("--parts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wire", choices=list(WIRES), default="modbus")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = storm(Path(folder), options.blows, options.parts, options.seed, options.wire)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
