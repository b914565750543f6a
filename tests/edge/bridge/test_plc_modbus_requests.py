"""Requests as bytes: each one gets the answer of the standard, however they are packed."""

import random
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from edge.bridge.protocols.registers import COILS
from tests.support.bridge.modbus import Bridge, answers, connected, frame, serves, split_up

ILLEGAL_VALUE = 3


@pytest.fixture(scope="module")
def bridge() -> Iterator[Bridge]:
    made = Bridge("tcp://127.0.0.1:9", "--simulate", "100")
    yield made
    assert "Traceback" not in made.close()


@pytest.mark.parametrize(
    "pdu",
    [
        *(struct.pack(">BHH", 1, 0, count) for count in (0, 2001, 65_535)),
        *(struct.pack(">BHH", 2, 0, count) for count in (0, 2001, 65_535)),
        *(struct.pack(">BHH", 3, 0, count) for count in (0, 126, 65_535)),
        *(struct.pack(">BHH", 4, 0, count) for count in (0, 126, 65_535)),
        *(struct.pack(">BHH", 5, 0, value) for value in (1, 0x1234, 0xFF01, 0xFFFF)),
        struct.pack(">BHHB", 15, 0, 0, 0),
        struct.pack(">BHHBB", 15, 0, 9, 1, 1),
        struct.pack(">BHHB", 15, 0, 1969, 247) + bytes(247),
        struct.pack(">BHHB", 16, 0, 0, 0),
        struct.pack(">BHHBH", 16, 0, 2, 4, 1),
        struct.pack(">BHHBH", 16, 0, 1, 4, 1),
        struct.pack(">BHHB", 16, 0, 124, 248) + bytes(246),
        b"\x03", b"\x04\x00\x00", b"\x06\x00\x00\x00", b"\x04\x00\x00\x00\x01\x00",
    ],
    ids=lambda pdu: f"{pdu[0]}-{pdu[1:5].hex()}-{len(pdu)}",
)  # fmt: skip
def test_counts_and_values_that_the_standard_forbids_get_exception_3(
    bridge: Bridge, pdu: bytes
) -> None:
    with connected(bridge) as connection:
        connection.sendall(frame(pdu))
        answer = connection.recv(64)
        assert (len(answer), answer[7], answer[8]) == (9, pdu[0] | 0x80, ILLEGAL_VALUE)
        connection.sendall(frame(struct.pack(">BHH", 1, 0, len(COILS))))
        assert connection.recv(64)[7:] == b"\x01\x01\x00", "no coil is on"


def test_every_request_of_a_packet_is_answered_in_order(bridge: Bridge) -> None:
    requests = [struct.pack(">HHHBBHH", n, 0, 6, 1, 4, 0, 1) for n in range(1, 501)]
    with connected(bridge) as connection:
        for sent in ([b"".join(requests[:3])], [b"".join(requests)], split_up(requests, 7)):
            for part in sent:
                connection.sendall(part)
            count = len(b"".join(sent)) // 12
            assert [number for number, _ in answers(connection, count)] == [*range(1, count + 1)]
    serves(bridge)


def test_any_request_gets_one_answer_with_its_number_and_function(bridge: Bridge) -> None:
    chance = random.Random(5)
    with connected(bridge) as connection:
        for _ in range(60):
            pdus = [random_pdu(chance) for _ in range(chance.randrange(1, 40))]
            requests = [
                struct.pack(">HHHB", n, 0, len(pdu) + 1, chance.randrange(256)) + pdu
                for n, pdu in enumerate(pdus)
            ]
            for part in split_up(requests, chance.randrange(1, 300)):
                connection.sendall(part)
            for (number, answer), (due, pdu) in zip(
                answers(connection, len(pdus)), enumerate(pdus), strict=True
            ):
                assert number == due
                assert answer[0] & 0x7F == pdu[0] & 0x7F
                assert not answer[0] & 0x80 or answer[1] in (1, 2, 3), "no failure of the bridge"
    bridge.plc.set()  # what a random request has set is cleared
    serves(bridge)


def random_pdu(chance: random.Random) -> bytes:
    function = chance.choice([1, 2, 3, 4, 5, 6, 15, 16, 7, 8, 23, 43, 0, 99, 128, 255])
    size = chance.randrange(2, 40)
    return bytes([function]) + (chance.randbytes(size) if chance.random() < 0.5 else bytes(size))


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        frame(b"\x04", protocol=1),
        frame(b"\x04", length=1),
        frame(b"\x04", length=255),
    ],
)
def test_a_client_that_sends_no_modbus_is_disconnected(bridge: Bridge, sent: bytes) -> None:
    """Where its next request begins cannot be known."""
    with connected(bridge) as connection, suppress(ConnectionResetError):
        connection.sendall(sent)
        assert connection.recv(64) == b""
    serves(bridge)
