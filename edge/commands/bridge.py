"""Carry a station's verdicts into the plant's controller, fail-safe.

  draem bridge modbus    a Modbus TCP server that the PLC polls
  draem bridge opcua     an OPC UA server of OPC 40100-1, machine vision
  draem bridge s7        writes into a data block of a Siemens PLC, and reads its answers
  draem bridge ethernet-ip
                         writes into a tag of a Rockwell Logix controller, and reads its answers
  draem bridge mqtt      results, state and the gapless record to a broker; Sparkplug B
  draem bridge gpio      drives digital outputs of this machine, without a PLC

Each has its own options: 'draem bridge modbus --help'. docs/plc.md has the handshake, and
docs/plc/ the maps, the topics and the PLC's programs.

A part is good only where a valid result says OK for its id within its deadline. Whatever else
happens, the bridge has no valid result, reports NG and the reason. This is no safety function
(ISO 13849).
"""

import argparse

from edge.commands.bridges import ethernet_ip, gpio, modbus, mqtt, opcua, s7

WIRES = {
    "modbus": modbus,
    "opcua": opcua,
    "s7": s7,
    "ethernet-ip": ethernet_ip,
    "mqtt": mqtt,
    "gpio": gpio,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    wires = parser.add_subparsers(dest="wire", required=True, metavar="WIRE", title="wires")
    for name, wire in WIRES.items():
        text = (wire.__doc__ or "").strip().rstrip(".")
        one = wires.add_parser(name, help=text, description=f"{text}.", allow_abbrev=False)
        wire.add_arguments(one)


def main(options: argparse.Namespace) -> int:
    code: int = WIRES[options.wire].main(options)
    return code
