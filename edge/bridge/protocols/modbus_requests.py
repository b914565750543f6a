"""Requests of Modbus TCP as bytes: where each ends, and which the standard does not allow.

Source: MODBUS Application Protocol V1.1b3, and MODBUS Messaging on TCP/IP V1.0b. pymodbus 3.16
answers only the first request of a packet, calls a wrong count an illegal function (of code 0), and
takes every value of a coil for on; so the bytes are looked at before it decodes them.
"""

import struct
from typing import NamedTuple

READS, WRITES = (1, 2, 3, 4), (5, 6, 15, 16)
DISCRETE_INPUTS, INPUT_REGISTERS, BIT_FUNCTIONS = 2, 4, (1, 2, 5, 15)
WRITE_COIL, WRITE_REGISTER, WRITE_COILS = 5, 6, 15
MOST = {1: 2000, 2: 2000, 3: 125, 4: 125, 15: 1968, 16: 123}
COIL_VALUES = (0x0000, 0xFF00)

HEADER = struct.Struct(">HHHB")  # transaction, protocol, bytes that follow, unit
BEFORE_UNIT = 6
LENGTHS = range(2, 255)  # of unit, function and the rest


class ModbusRequest(NamedTuple):
    """One request; `pdu` is its function and what follows."""

    transaction: int
    unit: int
    pdu: bytes

    @property
    def function(self) -> int:
        return self.pdu[0]


def split(data: bytes) -> tuple[list[ModbusRequest], int]:
    """The complete requests, and how many bytes they have; the rest is not complete yet.

    Raises ValueError for what is no Modbus TCP: where the next request begins is then unknown.
    """
    found, used = [], 0
    while len(data) - used >= HEADER.size:
        transaction, protocol, length, unit = HEADER.unpack_from(data, used)
        if protocol or length not in LENGTHS:
            raise ValueError("this is no Modbus TCP")
        end = used + BEFORE_UNIT + length
        if end > len(data):
            break
        found.append(ModbusRequest(transaction, unit, data[used + HEADER.size : end]))
        used = end
    return found, used


def is_illegal_value(pdu: bytes) -> bool:
    """Whether count, value or length are none that the standard allows (exception 3)."""
    function, body = pdu[0], pdu[1:]
    if len(body) < 4:
        return True
    value = int.from_bytes(body[2:4], "big")
    if function in MOST and not 1 <= value <= MOST[function]:
        return True
    if function in (*READS, WRITE_COIL, WRITE_REGISTER):
        return len(body) != 4 or (function == WRITE_COIL and value not in COIL_VALUES)
    size = (value + 7) // 8 if function == WRITE_COILS else 2 * value
    return len(body) != 5 + size or body[4] != size
