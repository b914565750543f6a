"""The places of the fields as docs/plc/ has them, which is all that a PLC's programmer knows."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

PAGES = Path(__file__).parents[4] / "docs/plc"


class Place(NamedTuple):
    """Where a field begins, in the wire's own units, and how many it has."""

    at: int
    size: int


@cache
def modbus(heading: str) -> dict[str, Place]:
    """The registers of a table: two for a value that has a high and a low one."""
    section = _page("modbus").split(f"### {heading}")[1].split("\n###")[0]
    rows = re.findall(r"^\| (\d+) \| (\w+) \|([^|]*)\|", section, re.M)
    return {name: Place(int(at), 2 if "high" in words else 1) for at, name, words in rows}


@cache
def s7() -> dict[str, Place]:
    """The bytes of the data block."""
    rows = re.findall(r"^ +(\w+) : (UInt|UDInt|DInt);  // (\d+)", _page("s7"), re.M)
    return {name: Place(int(at), 2 if kind == "UInt" else 4) for name, kind, at in rows}


@cache
def ethernet_ip() -> dict[str, Place]:
    """The indexes of the array."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \| DINT \|", _page("ethernet-ip"), re.M)
    return {name: Place(int(at), 1) for at, name in rows}


def _page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")
