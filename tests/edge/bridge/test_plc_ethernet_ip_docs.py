"""The array of a Logix controller: its layout, its documented tables, and its types as L5X."""

import struct
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from edge.bridge.protocols.dints import CHECK, LENGTH, SIGNALS, from_dints, length, to_dints
from edge.bridge.protocols.logix_docs import READ_ALL, dint_table, l5x
from edge.bridge.protocols.registers import (
    MAP_VERSION,
    READ,
    WRITE,
    number_of,
    pack,
    unpack,
)
from tests.conftest import draem

BYTES = {"DINT": 4, "SINT": 1}


@given(st.lists(st.integers(-(2**33), 2**33), min_size=len(READ), max_size=len(READ)))
def test_ethernet_ip_dints_hold_what_registers_hold(numbers: list[int]) -> None:
    values = {field.name: number for field, number in zip(READ, numbers, strict=True)}
    values["part_id"] = number_of("Größe-12", 16)
    dints = to_dints(READ, values)
    assert from_dints(READ, dints) == unpack(READ, pack(READ, values, "high-first"), "high-first")
    raw = struct.pack(f"<{len(dints)}i", *dints)
    assert "Größe-12".encode() in raw, "a text reads on in the controller's memory"


def test_the_documented_ethernet_ip_array_is_the_one_that_is_served(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs/plc/ethernet-ip.md"
    text = page.read_text(encoding="utf-8")
    words = " ".join(text.split())
    assert SIGNALS + length(READ_ALL) - 1 == CHECK
    assert dint_table(READ_ALL, SIGNALS) in text
    assert dint_table(WRITE, 0) in text
    assert f"One array `DINT[{LENGTH}]`" in words
    assert f"`check` (index {CHECK})" in words
    assert f"Signals.map = {MAP_VERSION};" in text
    assert f"COP(Said, Out[0], {length(WRITE)});" in text
    assert draem("bridge", "ethernet-ip", "--l5x", cwd=tmp_path).stdout.strip() == l5x()


def test_the_ethernet_ip_types_of_the_l5x_file_have_the_layout_of_the_array() -> None:
    types = ElementTree.fromstring(l5x().partition("?>")[2]).findall(".//DataType")
    sizes = {}
    for one in types:
        at = 0
        for member in one.findall("Members/Member"):
            size = BYTES[member.attrib["DataType"]] * max(1, int(member.attrib["Dimension"]))
            assert at % 4 == 0, "a DINT would be moved to a place that can be divided by four"
            assert size % 4 == 0
            at += size
        sizes[one.attrib["Name"]] = at
    assert sizes == {
        "draem_from_bridge": 4 * (LENGTH - SIGNALS),
        "draem_to_bridge": 4 * length(WRITE),
    }
