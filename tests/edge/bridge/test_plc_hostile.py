"""Rubbish, strangers and the deaf at the Modbus port: none of them keeps a verdict from the PLC."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from pymodbus.client import ModbusTcpClient

from edge.bridge.protocols.registers import BITS, COILS, READ, WRITE, size
from tests.support.bridge.modbus import Bridge, connected, frame, serves
from tests.support.bridge.tcp import wait_until_kept_alive

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2


@pytest.fixture(scope="module")
def bridge() -> Iterator[Bridge]:
    """One for all: whatever was done to it, the next test still finds it at work."""
    made = Bridge("tcp://127.0.0.1:9", "--simulate", "100")
    yield made
    said = made.close()
    assert "Traceback" not in said
    assert made.process.returncode == 0, said


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 40,
        frame(b"\x04\x00\x00\x00\x24", protocol=77),
        frame(b"\x04\x00\x00\x00\x24", length=0),
        frame(b"\x04\x00\x00\x00\x24", length=65_535),
        frame(b"\x04\x00"),
        frame(b"\x04"),
        frame(b"\x10\x00\x00\x00\x02\xff\x00\x01"),
        frame(b"\x0f\x00\x00\x00\x02\x01"),
        frame(b"\x10"),
        frame(b"\x2b\x0e\x01\x00"),
    ],
    ids=[
        "a single byte", "another protocol", "ten thousand bytes", "wrong protocol id",
        "length 0", "length beyond all", "a request cut short", "a function alone",
        "byte count that lies", "bits that are missing", "a write without anything",
        "device identification",
    ],
)  # fmt: skip
def test_plc_is_served_whatever_another_sends(bridge: Bridge, sent: bytes) -> None:
    with connected(bridge) as connection:
        connection.sendall(sent)
        serves(bridge)
    serves(bridge)


@pytest.mark.parametrize("function", [0x07, 0x08, 0x11, 0x14, 0x16, 0x17, 0x18, 0x2B, 0x41, 0x99])
def test_plc_functions_that_are_not_served_are_refused(bridge: Bridge, function: int) -> None:
    with connected(bridge) as connection:
        connection.sendall(frame(bytes([function, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0])))
        answer = connection.recv(64)
    assert (answer[7], answer[8]) == (function | 0x80, ILLEGAL_FUNCTION)
    serves(bridge)


def test_addresses_beyond_the_maps_are_refused(bridge: Bridge) -> None:
    client = ModbusTcpClient("127.0.0.1", port=bridge.port)
    assert client.connect()
    for answer in (
        client.read_input_registers(size(READ), count=1),
        client.read_input_registers(0, count=size(READ) + 1),
        client.read_holding_registers(0, count=size(WRITE) + 1),
        client.read_discrete_inputs(len(BITS), count=1),
        client.read_coils(len(COILS), count=1),
        client.write_register(size(WRITE), 1),
        client.write_registers(size(WRITE) - 1, [1, 1]),
        client.write_coil(len(COILS), True),
        client.write_coils(1, [True] * len(COILS)),
    ):
        assert answer.isError()
        assert answer.exception_code == ILLEGAL_ADDRESS
    assert not client.read_holding_registers(0, count=size(WRITE)).isError()
    assert client.read_coils(0, count=len(COILS)).bits[: len(COILS)] == [False] * len(COILS)
    client.close()


def test_a_plc_without_power_is_noticed(bridge: Bridge) -> None:
    with connected(bridge) as connection:
        connection.sendall(frame(struct.pack(">BHH", 4, 0, 1)))
        connection.recv(64)
        wait_until_kept_alive(local=bridge.port)


def test_fifty_clients_that_read_leave_the_plc_served(bridge: Bridge) -> None:
    others = [socket.create_connection(("127.0.0.1", bridge.port), timeout=3) for _ in range(50)]
    for _ in range(5):
        for connection in others:
            connection.sendall(frame(struct.pack(">BHH", 4, 0, size(READ))))
        serves(bridge)
        for connection in others:
            assert len(connection.recv(512)) == 9 + 2 * size(READ)
    for connection in others:
        connection.close()


def test_fifty_clients_that_come_and_go_leave_the_plc_served(bridge: Bridge) -> None:
    for _ in range(50):
        with connected(bridge) as connection:
            connection.sendall(b"\x00\x01\x00")
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    serves(bridge)


def test_a_client_that_never_reads_is_cut_off(bridge: Bridge) -> None:
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", bridge.port))
    deaf.settimeout(5)
    with pytest.raises(OSError):  # noqa: PT011 - cut off: reset, or a broken pipe
        ask_for_ever(deaf, frame(struct.pack(">BHH", 4, 0, size(READ))))
    deaf.close()
    serves(bridge)


def ask_for_ever(connection: socket.socket, question: bytes) -> None:
    """One question after the other, for longer than anybody may be deaf."""
    for _ in range(20_000):
        connection.sendall(question)
        time.sleep(0.001)  # or the kernel would have taken all before the server cuts off


def test_a_stranger_reads_and_does_not_write() -> None:
    bridge = Bridge("tcp://127.0.0.1:9", "--simulate", "20", "--plc", "192.0.2.7")
    client = ModbusTcpClient("127.0.0.1", port=bridge.port)
    assert client.connect()
    assert not client.read_input_registers(0, count=size(READ)).isError()
    assert not client.read_discrete_inputs(0, count=len(BITS)).isError()
    assert not client.read_coils(0, count=len(COILS)).isError()
    for answer in (
        client.write_register(0, 1),
        client.write_registers(0, [1, 1]),
        client.write_coil(0, True),
        client.write_coils(0, [True]),
        client.mask_write_register(address=0, and_mask=1, or_mask=1),
        client.readwrite_registers(read_address=0, read_count=1, write_address=0, values=[1]),
    ):
        assert answer.isError()
        assert answer.exception_code == ILLEGAL_FUNCTION
    assert client.read_holding_registers(0, count=size(WRITE)).registers == [0] * size(WRITE)
    client.close()
    assert "127.0.0.1 tried to write and may not: name it with --plc" in bridge.close()
