"""The gate's signals as bits and 16-bit registers: the one map of Modbus, S7 and EtherNet/IP.

A field has one or two registers, or as many as a text needs: two characters each, the first in the
high byte, filled up with zeros. Values are whole numbers everywhere; a text is one too, as its
bytes are read (`number_of`, `text_of`).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from edge.bridge.line_requests import Failure
from edge.bridge.plc_commands import CHANGE, CommandAnswer
from edge.bridge.signals import COUNTED, Inputs, Signals

WordOrder = Literal["high-first", "low-first"]
VERDICTS = {"OK": 1, "NG": 2, "NO_VERDICT": 3}
SCORE_SCALE = 10_000
MAP_VERSION = 3
HEARTBEAT_BIT_S = 0.25
PART_WORDS = 16
COUNTER_RESET, RESET = AT_ONCE = (1, 2)
COUNTS = tuple((name, "results dropped, " if name == "overruns" else "") for name in COUNTED)


class Field(NamedTuple):
    """A value of 16 bits (one register), 32 bits (two), or a text (more)."""

    name: str
    words: int
    text: str


class Bit(NamedTuple):
    """A discrete input or a coil."""

    name: str
    text: str


BITS = (
    Bit("online", "the inspector is heard"),
    Bit("ready", "the next part can be judged"),
    Bit("busy", "results wait"),
    Bit("fault", "`trouble` is not 0"),
    Bit("results_valid", "a result is offered: its registers are filled"),
    Bit("heartbeat_bit", f"changes every {HEARTBEAT_BIT_S * 1000:g} ms: the bridge is alive"),
    Bit("result_ok", "a result is offered, and it is OK"),
)
COILS = (
    Bit("heartbeat_coil", "change it in every cycle"),
    Bit(
        "ack_coil", "set it: the result that was read last is taken; clear it: the next is offered"
    ),
    Bit("reset_coil", "set it: as command 2"),
    Bit("counter_reset_coil", "set it: as command 1"),
)
READ = (
    Field("map", 1, "version of this map"),
    Field("heartbeat", 1, "counts up with every answer: the bridge is alive"),
    Field("status", 1, "the discrete inputs as bits: bit 0 is input 0, and so on"),
    Field("trouble", 1, "why there is no valid result; 0 where nothing is wrong"),
    Field("inspection_id", 2, "of the result offered; 0: none"),
    Field("trigger_id", 2, "of the part, modulo 2^32; 0: none"),
    Field("encoder", 2, "count at the trigger, modulo 2^32, signed; 0: there is none"),
    Field("verdict", 1, "1 OK, 2 NG; 2 whenever there is no valid result"),
    Field("score", 1, f"0 to {SCORE_SCALE}, the score times {SCORE_SCALE}"),
    Field("threshold", 1, "in the same scale"),
    Field("regions", 1, "number of defects"),
    Field("box_x", 1, "of the largest defect, in camera pixels"),
    Field("box_y", 1, ""),
    Field("box_width", 1, ""),
    Field("box_height", 1, ""),
    Field("area", 2, "of the largest defect, in camera pixels"),
    Field("version", 1, "of the product that judged"),
    Field("backlog", 1, "results not acknowledged yet, the one offered included"),
    Field("acknowledged", 2, "the id that the PLC took last, as it was received"),
    *(Field(name, 2, f"{text}since the start or the last counter reset") for name, text in COUNTS),
    Field("command_ack", 1, "the command that was carried out, until it is 0 again"),
    Field("command_failed", 1, "why it was not, until it is 0 again"),
    Field(
        "part_id",
        PART_WORDS,
        "of the part, as text; empty where there is none or it is over 32 bytes",
    ),
    Field("product", 1, "number of the product that judged; 0: it has none"),
    Field(
        "product_running",
        1,
        "number of the product that the line judges now; 0: none, or it is silent",
    ),
    Field("product_changing", 1, "1 while a change of product is under way"),
    Field("trigger_given", 2, "id of the last trigger that the line has accepted; 0: none"),
    Field("trigger_seen", 2, "`trigger_new` as it was received; `trigger_failed` is of this one"),
    Field("trigger_failed", 1, "why it was not given; 0 while it is not known to fail"),
)
WRITE = (
    Field("plc_heartbeat", 1, "count up in every cycle"),
    Field("results_ack", 2, "the inspection id that was taken last"),
    Field(
        "command",
        1,
        "1 resets the counters, 2 the trouble of a part, 3 changes the product; else 0",
    ),
    Field("product_wanted", 1, "number of the product for command 3"),
    Field("trigger_encoder", 2, "count at the trigger, signed"),
    Field("trigger_part_id", PART_WORDS, "of the part, as text; all 0: it has none"),
    Field(
        "trigger_new", 2, "another id than before, and not 0, triggers the camera: write it last"
    ),
)


def size(fields: Sequence[Field]) -> int:
    """Registers of a map."""
    return sum(field.words for field in fields)


def offset(fields: Sequence[Field], name: str) -> int:
    """Where a field begins; addresses count from 0."""
    names = [field.name for field in fields]
    return size(fields[: names.index(name)])


def pack(fields: Sequence[Field], values: dict[str, int], order: WordOrder) -> list[int]:
    """The registers of a map: 16 bits are measures, and bounded; 32 bits count modulo 2^32.

    Bounded, a count would stand still for ever. Negative ones are two's complements.
    """
    registers = []
    for name, words, _ in fields:
        value = (
            min(max(values[name], 0), 0xFFFF) if words == 1 else values[name] % 2 ** (16 * words)
        )
        parts = [value >> (16 * i) & 0xFFFF for i in reversed(range(words))]
        registers += _turned(parts, order)
    return registers


def unpack(fields: Sequence[Field], registers: Sequence[int], order: WordOrder) -> dict[str, int]:
    """The unsigned values of a map."""
    values, at = {}, 0
    for name, words, _ in fields:
        parts = _turned(registers[at : at + words], order)
        values[name] = sum(part << (16 * i) for i, part in enumerate(reversed(parts)))
        at += words
    return values


def _turned(parts: Sequence[int], order: WordOrder) -> list[int]:
    """The order of words concerns values of 32 bits alone; a text reads on in both."""
    return list(parts[::-1] if order == "low-first" and len(parts) == 2 else parts)


def number_of(text: str, words: int) -> int:
    """A text as the number that its registers are; 0 where it does not fit whole."""
    raw = text.encode()
    # A part of an id could be the id of another part.
    return int.from_bytes(raw.ljust(2 * words, b"\0"), "big") if len(raw) <= 2 * words else 0


def text_of(number: int, words: int) -> str:
    """The text that a field's registers hold."""
    return number.to_bytes(2 * words, "big").rstrip(b"\0").decode()


def bits_of(signals: Signals, now: float) -> list[bool]:
    """The discrete inputs at `now` (seconds of any clock)."""
    return [
        signals.online,
        signals.ready,
        signals.backlog > 0,
        signals.trouble != 0,
        signals.results_valid,
        int(now / HEARTBEAT_BIT_S) % 2 == 1,
        signals.results_valid and signals.verdict == "OK",
    ]


def values_of(
    signals: Signals, heartbeat: int, now: float, written: dict[str, int], answer: CommandAnswer
) -> dict[str, int]:
    """What each field of READ holds; `written` is what the fields of WRITE hold."""
    result = signals.result
    region = result.regions[0] if result and result.regions else None
    x, y, width, height = region.box if region else (0, 0, 0, 0)
    answered = written["command"] in AT_ONCE or answer.done
    return {
        "map": MAP_VERSION,
        "heartbeat": heartbeat % 65536,
        "status": sum(bit << i for i, bit in enumerate(bits_of(signals, now))),
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
        "version": int(result.version) if result else 0,
        "backlog": signals.backlog,
        "acknowledged": written["results_ack"],
        **signals.counts,
        "command_ack": written["command"] if answered else 0,
        "command_failed": int(_failure(written["command"], answer)),
        "part_id": number_of((result.part_id or "") if result else "", PART_WORDS),
        "product": answer.numbers.get(result.product, 0) if result else 0,
        "product_running": answer.numbers.get(signals.running, 0),
        "product_changing": int(answer.under_way),
        "trigger_given": answer.given,
        "trigger_seen": answer.seen,
        "trigger_failed": int(answer.trigger_failure),
    }  # fmt: skip


def _failure(command: int, answer: CommandAnswer) -> Failure:
    return answer.failure if command in (0, CHANGE, *AT_ONCE) else Failure.NO_COMMAND


def _scaled(value: float | None) -> int:
    return round(value * SCORE_SCALE) if value is not None else 0


def inputs_of(written: dict[str, int], coils: Sequence[bool] = (False,) * len(COILS)) -> Inputs:
    """What the fields of WRITE and the coils mean to the gate: either will do for each."""
    heartbeat, ack, reset, counter_reset = coils
    return Inputs(
        heartbeat=written["plc_heartbeat"] + (heartbeat << 16),
        acknowledged=written["results_ack"],
        reset=reset or written["command"] == RESET,
        counter_reset=counter_reset or written["command"] == COUNTER_RESET,
        hold=ack,
    )


def trigger_of(written: dict[str, int]) -> tuple[int, int, str | None]:
    """Id, encoder count and part id of the trigger that the fields of WRITE hold.

    What is no UTF-8 stays in the text as surrogates: no wire sends them, so it is refused.
    """
    encoder = written["trigger_encoder"]
    raw = written["trigger_part_id"].to_bytes(2 * PART_WORDS, "big").rstrip(b"\0")
    part_id = raw.decode(errors="surrogateescape") or None
    return written["trigger_new"], encoder - (encoder >> 31 << 32), part_id


def nothing_written() -> dict[str, int]:
    """The fields of WRITE before a PLC has written any."""
    return {field.name: 0 for field in WRITE}
