"""The maps as docs/plc.md has them: tables in Markdown, and the S7 block as an SCL type."""

from collections.abc import Sequence

from edge.bridge.protocols.registers import READ, WRITE, Bit, Field

SIGNALS = 64
"""The byte of the S7 block from which on the signals lie; before it what the PLC writes."""


def table(fields: Sequence[Field]) -> str:
    """A map of registers, with the place of each word in both orders."""
    lines = ["| address | name | high-first | low-first | what |", "|---|---|---|---|---|"]
    at = 0
    for name, words, text in fields:
        places = {
            1: ("", ""),
            2: (f"{at} high, {at + 1} low", f"{at} low, {at + 1} high"),
        }.get(words, (f"{at} to {at + words - 1}",) * 2)
        lines.append(f"| {at} | {name} | {places[0]} | {places[1]} | {text} |")
        at += words
    return "\n".join(lines)


def bit_table(bits: Sequence[Bit]) -> str:
    """The discrete inputs, or the coils."""
    rows = [f"| {at} | {name} | {text} |" for at, (name, text) in enumerate(bits)]
    return "\n".join(["| address | name | what |", "|---|---|---|", *rows])


def scl() -> str:
    """The data block as an SCL type, in the order in which it lies."""
    reserved = (SIGNALS - 2 * sum(field.words for field in WRITE)) // 2
    return "\n".join([
        'TYPE "draem"',
        "VERSION : 0.1",
        "    STRUCT",
        *map(_scl_line, WRITE),
        f"        reserved : Array[0..{reserved - 1}] of UInt;",
        *map(_scl_line, READ),
        "    END_STRUCT;",
        "END_TYPE",
    ])  # fmt: skip


def _scl_line(field: Field) -> str:
    kinds = {1: "UInt", 2: "DInt" if field.name.endswith("encoder") else "UDInt"}
    kind = kinds.get(field.words, f"Array[0..{2 * field.words - 1}] of Char")
    return f"        {field.name} : {kind};" + (f"  // {field.text}" if field.text else "")
