"""Random messages to every socket of a running station: its events must not change.

`python -m tests.measure.fuzz --messages 100000` sends that many random or mutated messages to each
socket, and bytes that are not ZeroMQ, while parts pass; and prints what that cost the station.
"""

import argparse
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import zmq

from edge.events.client import service_endpoint
from edge.events.encoding import decode
from edge.events.event import Inspection
from edge.events.journal_reader import JournalReader
from tests.measure.soak import resident_mb
from tests.support.ports import free_ports

SEEDS = [
    b'{"request":"page","after":0,"limit":10}',
    b'{"request":"acknowledge","cursor":"a","stream_id":"x","seq":1}',
    b'{"request":"cursors"}',
    b'{"request":"health"}',
    b'{"request":"counters"}',
    b"\x01inspection",
    b"\x00inspection",
]


def mutated(chance: random.Random) -> bytes:
    """A valid message that is partly changed, or random bytes."""
    message = bytearray(chance.choice(SEEDS))
    kind = chance.randrange(7)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        return b"[" * chance.randrange(1, 3000)
    if kind == 2:
        return bytes(message[: chance.randrange(len(message))])
    if kind == 3:
        return bytes(message).replace(b"1", str(10 ** chance.randrange(1, 400)).encode())
    if kind == 4:
        return bytes(message) + chance.randbytes(chance.randrange(5000))
    for _ in range(chance.randrange(1, 6)):
        message[chance.randrange(len(message))] = chance.randrange(256)
    return bytes(message)


def send(endpoint: str, kind: int, count: int, seed: int) -> None:
    """Send `count` messages, some of several parts, to one socket; answers are ignored."""
    chance = random.Random(seed)
    with zmq.Context() as context, context.socket(kind) as out:
        out.set(zmq.LINGER, 0)
        out.set(zmq.SNDTIMEO, 5000)
        out.connect(endpoint)
        for _ in range(count):
            parts = [mutated(chance) for _ in range(chance.choice([1, 1, 1, 2, 5]))]
            try:
                out.send_multipart(parts)
            except zmq.Again:
                time.sleep(0.1)  # the station reads slowly, as it may
            while out.poll(0):
                out.recv_multipart()
        print("sent", flush=True)


def send_apart(endpoint: str, kind: int, count: int, seed: int) -> None:
    """`send` in a process of its own, which may abort once all is sent.

    libzmq aborts if a socket is closed within a message while its peer disconnects (its issue
    3442), and the station disconnects a peer whose message is too long.
    """
    words = ["send", endpoint, str(kind), str(count), str(seed)]
    command = [sys.executable, "-m", "tests.measure.fuzz", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.stdout == "sent\n", done.stderr
    assert done.returncode in (0, -signal.SIGABRT), done.stderr


def send_bytes(endpoint: str, count: int, seed: int) -> None:
    """Connections that send random bytes instead of ZeroMQ."""
    chance = random.Random(seed)
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    for _ in range(count):
        with socket.create_connection((host, int(port)), timeout=5) as out, suppress(OSError):
            out.sendall(chance.randbytes(chance.randrange(500)))


def station(folder: str, endpoint: str) -> None:
    """A whole station in a process of its own, until its input ends."""
    from tests.support.running_station import Running

    running = Running(Path(folder), endpoint=endpoint)
    print("ready", flush=True)
    sys.stdin.read()
    running.close()


def fuzz(messages: int) -> dict[str, float]:
    """What it cost: milliseconds between two events before and meanwhile, and memory.

    Messages are sent in two halves: memory that is allocated once is no growth, so only the second
    half counts. Raises AssertionError if an event is missing, the station has ended or grew.
    """
    endpoint = f"tcp://127.0.0.1:{free_ports(4)[0]}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.measure.fuzz", "station", folder, endpoint]
        running = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == b"ready\n"
            time.sleep(3)
            marks, memory = [time.monotonic_ns()], [resident_mb(running.pid)]
            for seed in (0, 10):
                send_all(endpoint, messages // 2, seed)
                time.sleep(1)
                memory.append(resident_mb(running.pid))
            marks.append(time.monotonic_ns())
            assert running.poll() is None, "the station has ended"
        finally:
            running.communicate(timeout=20)
        assert running.returncode == 0, "the station has not ended as it should"
        published = stamps(Path(folder) / "station-1")
    quiet = np.diff([ns for ns in published if ns < marks[0]]) / 1e6
    noisy = np.diff([ns for ns in published if marks[0] < ns < marks[1]]) / 1e6
    found = {
        "quiet_gap_p99_ms": round(float(np.percentile(quiet, 99)), 1),
        "noisy_gap_p99_ms": round(float(np.percentile(noisy, 99)), 1),
        "noisy_gap_longest_ms": round(float(noisy.max()), 1),
        "before_mb": round(memory[0], 1),
        "halfway_mb": round(memory[1], 1),
        "after_mb": round(memory[2], 1),
    }
    assert found["after_mb"] < found["halfway_mb"] + 8, found
    return found


def stamps(folder: Path) -> list[int]:
    """When each inspection was published; every trigger must have exactly one."""
    with JournalReader(folder) as reader:
        headers = [decode(message).header for message in reader.page(0, 10_000_000)]
    parts = [header for header in headers if isinstance(header, Inspection)]
    assert [part.trigger_id for part in parts] == list(range(1, len(parts) + 1))
    assert {part.verdict for part in parts[:-20]} == {"OK", "NG"}, "a message has paused the line"
    return [part.published_ns for part in parts]


def send_all(endpoint: str, messages: int, first_seed: int) -> None:
    services = [(endpoint, zmq.XSUB), (service_endpoint(endpoint, "replay"), zmq.DEALER)]
    services += [
        (service_endpoint(endpoint, "control"), zmq.DEALER),
        (service_endpoint(endpoint, "live"), zmq.XSUB),
    ]
    for seed, (at, kind) in enumerate(services, start=first_seed):
        send_apart(at, kind, messages, seed)
        send_bytes(at, messages // 100, seed)


def main() -> None:
    if sys.argv[1:2] == ["station"]:
        station(*sys.argv[2:])
        return
    if sys.argv[1:2] == ["send"]:
        endpoint, *numbers = sys.argv[2:]
        send(endpoint, *map(int, numbers))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    found = fuzz(parser.parse_args().messages)
    print(json.dumps(found, indent=2))
    assert found["noisy_gap_p99_ms"] < found["quiet_gap_p99_ms"] + 50, "the loop was delayed"
    assert found["noisy_gap_longest_ms"] < 1000, "the loop was stopped"


if __name__ == "__main__":
    main()
