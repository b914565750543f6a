"""The maps as docs/plc/ has them: tables in Markdown, and the S7 block as an SCL source."""

from collections.abc import Sequence

from edge.bridge.protocols.registers import READ, WRITE, Bit, Field, offset, size

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
    """The data block as an SCL source: its type, with the byte of each field, and the block."""
    reserved = SIGNALS - 2 * size(WRITE)
    return "\n".join([
        'TYPE "draem"',
        "VERSION : 0.1",
        "    STRUCT  // before each comment: the byte at which the field begins",
        *_scl_lines(WRITE, 0),
        f"        reserved : Array[0..{reserved // 2 - 1}] of UInt;  // {2 * size(WRITE)}",
        *_scl_lines(READ, SIGNALS),
        "    END_STRUCT;",
        "END_TYPE",
        "",
        'DATA_BLOCK "draem_db"',
        "{ S7_Optimized_Access := 'FALSE' }",
        "VERSION : 0.1",
        "NON_RETAIN",
        '"draem"',
        "BEGIN",
        "END_DATA_BLOCK",
    ])  # fmt: skip


def _scl_lines(fields: Sequence[Field], begin: int) -> list[str]:
    kinds = {1: "UInt", 2: "UDInt"}
    lines = []
    for field in fields:
        kind = kinds.get(field.words, f"Array[0..{2 * field.words - 1}] of Char")
        if field.name.endswith("encoder"):
            kind = "DInt"
        at = begin + 2 * offset(fields, field.name)
        lines.append(f"        {field.name} : {kind};  // {at}: {field.text}".rstrip(": "))
    return lines
