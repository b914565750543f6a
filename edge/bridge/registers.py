"""The gate's signals as 16-bit registers: what Modbus and S7 carry, and docs/plc.md documents."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from edge.bridge.gate import COUNTED, Inputs, Signals

WordOrder = Literal["high-first", "low-first"]
VERDICTS = {"OK": 1, "NG": 2, "NO_VERDICT": 3}
SCORE_SCALE = 10_000
MAP_VERSION = 1


COUNTS = tuple((name, "results dropped, " if name == "overruns" else "") for name in COUNTED)


class Field(NamedTuple):
    """A value of one (16 bit) or two registers (32 bit)."""

    name: str
    words: int
    text: str


READ = (
    Field("map", 1, "version of this map"),
    Field("heartbeat", 1, "counts up with every answer: the bridge is alive"),
    Field("status", 1, "bit 0 Online, 1 Ready, 2 Busy, 3 Fault, 4 Results Valid"),
    Field("trouble", 1, "why there is no valid result; 0 where nothing is wrong"),
    Field("inspection_id", 2, "of the result offered; 0: none"),
    Field("trigger_id", 2, "of the part; 0: none"),
    Field("encoder", 2, "count at the trigger, signed; 0 where there is none"),
    Field("verdict", 1, "1 OK, 2 NG; 2 whenever there is no valid result"),
    Field("score", 1, f"0 to {SCORE_SCALE}, the score times {SCORE_SCALE}"),
    Field("threshold", 1, "in the same scale"),
    Field("regions", 1, "number of defects"),
    Field("box_x", 1, "of the largest defect, in camera pixels"),
    Field("box_y", 1, ""),
    Field("box_width", 1, ""),
    Field("box_height", 1, ""),
    Field("area", 2, "of the largest defect, in camera pixels"),
    Field("product", 1, "version of the product that judged"),
    Field("backlog", 1, "results not acknowledged yet, the one offered included"),
    Field("acknowledged", 2, "the id that the PLC took last, as it was received"),
    *(Field(name, 2, f"{text}since the start or the last reset") for name, text in COUNTS),
)
WRITE = (
    Field("plc_heartbeat", 1, "count up in every cycle"),
    Field("results_ack", 2, "the inspection id that was taken last"),
    Field("command", 1, "1 resets the counters; 0 between two commands"),
)


def size(fields: Sequence[Field]) -> int:
    """Registers of a map."""
    return sum(field.words for field in fields)


def table(fields: Sequence[Field]) -> str:
    """The map in Markdown, as docs/plc.md has it; addresses count from 0."""
    lines, at = ["| address | name | registers | what |", "|---|---|---|---|"], 0
    for name, words, text in fields:
        lines.append(f"| {at} | {name} | {words} | {text} |")
        at += words
    return "\n".join(lines)


def pack(fields: Sequence[Field], values: dict[str, int], order: WordOrder) -> list[int]:
    """The registers of a map. Values that do not fit are bounded; negative ones are two's."""
    registers = []
    for name, words, _ in fields:
        bits = 16 * words
        value = min(max(values[name], -(1 << (bits - 1))), (1 << bits) - 1) % (1 << bits)
        parts = [value >> 16, value & 0xFFFF] if words == 2 else [value]
        registers += parts if order == "high-first" else parts[::-1]
    return registers


def unpack(fields: Sequence[Field], registers: Sequence[int], order: WordOrder) -> dict[str, int]:
    """The unsigned values of a map."""
    values, at = {}, 0
    for name, words, _ in fields:
        parts = registers[at : at + words]
        high_first = parts if order == "high-first" else parts[::-1]
        values[name] = sum(part << (16 * i) for i, part in enumerate(reversed(high_first)))
        at += words
    return values


def values_of(signals: Signals, heartbeat: int, acknowledged: int) -> dict[str, int]:
    """What each field of READ holds."""
    result = signals.result
    region = result.regions[0] if result and result.regions else None
    x, y, width, height = region.box if region else (0, 0, 0, 0)
    fault = signals.trouble != 0
    bits = (signals.online, signals.ready, signals.backlog > 0, fault, signals.results_valid)
    return {
        "map": MAP_VERSION,
        "heartbeat": heartbeat % 65536,
        "status": sum(bool(bit) << i for i, bit in enumerate(bits)),
        "trouble": int(signals.trouble),
        "inspection_id": signals.inspection_id,
        "trigger_id": (result.trigger_id or 0) if result else 0,
        "encoder": (result.encoder or 0) if result else 0,
        "verdict": VERDICTS[signals.verdict],
        "score": _scaled(result.score if result else None),
        "threshold": _scaled(result.threshold if result else None),
        "regions": len(result.regions) if result else 0,
        "box_x": x, "box_y": y, "box_width": width, "box_height": height,
        "area": region.area if region else 0,
        "product": int(result.version) if result else 0,
        "backlog": signals.backlog,
        "acknowledged": acknowledged,
        **signals.counts,
    }  # fmt: skip


def _scaled(value: float | None) -> int:
    return round(value * SCORE_SCALE) if value is not None else 0


def inputs_of(said: dict[str, int]) -> Inputs:
    """What the fields of WRITE mean to the gate."""
    return Inputs(said["plc_heartbeat"], said["results_ack"], said["command"] == 1)
