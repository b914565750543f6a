"""The array of a Logix controller as docs/plc/ethernet-ip.md has it, and its types as L5X."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from edge.bridge.protocols.dints import count
from edge.bridge.protocols.registers import READ, WRITE, Field

FROM_BRIDGE, TO_BRIDGE = "draem_from_bridge", "draem_to_bridge"
CHECK_FIELD = Field("check", 2, "equals `heartbeat` where all fields are of one moment")
READ_ALL = (*READ, CHECK_FIELD)


class Member(NamedTuple):
    """A member of a structure; `dimension` 0 is no array."""

    name: str
    kind: str
    dimension: int
    text: str


def members(fields: Sequence[Field]) -> list[Member]:
    """A map as a structure that has the array's own layout: no member needs filling."""
    return [
        Member(name, "SINT", 2 * words, text) if words > 2 else Member(name, "DINT", 0, text)
        for name, words, text in fields
    ]


def dint_table(fields: Sequence[Field], begin: int) -> str:
    """A map with the index of each field in the array."""
    return "\n".join(["| index | name | type | what |", "|---|---|---|---|", *_rows(fields, begin)])


def _rows(fields: Sequence[Field], begin: int) -> Iterator[str]:
    at = begin
    for field, member in zip(fields, members(fields), strict=True):
        end = at + count(field) - 1
        place = f"{at}" if end == at else f"{at} to {end}"
        kind = f"SINT[{member.dimension}]" if member.dimension else member.kind
        yield f"| {place} | {member.name} | {kind} | {member.text} |"
        at = end + 1


def l5x() -> str:
    """Both structures as a file that Studio 5000 imports ("Import Data Type")."""
    return "\n".join([
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        '<RSLogix5000Content SchemaRevision="1.0" TargetType="DataType" ContainsContext="true"'
        f' TargetName="{FROM_BRIDGE}">',
        '<Controller Use="Context" Name="draem">',
        '<DataTypes Use="Context">',
        *_type(FROM_BRIDGE, "Target", READ_ALL),
        *_type(TO_BRIDGE, "Context", WRITE),
        "</DataTypes>",
        "</Controller>",
        "</RSLogix5000Content>",
    ])  # fmt: skip


def _type(name: str, use: str, fields: Sequence[Field]) -> Iterator[str]:
    yield f'<DataType Use="{use}" Name="{name}" Family="NoFamily" Class="User">'
    yield "<Members>"
    for member, kind, dimension, text in members(fields):
        radix = "ASCII" if dimension else "Decimal"
        yield (
            f'<Member Name={quoteattr(member)} DataType="{kind}" Dimension="{dimension}"'
            f' Radix="{radix}" Hidden="false" ExternalAccess="Read/Write">'
        )
        if text:
            yield f"<Description><![CDATA[{text}]]></Description>"
        yield "</Member>"
    yield "</Members>"
    yield "</DataType>"
