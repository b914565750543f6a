"""Which files besides itself an ONNX model reads: the external data of its tensors.

Without the `onnx` package, which a device on the line does not have. An ONNX file is a message of
protobuf (https://protobuf.dev/programming-guides/encoding/); the numbers below are those of
onnx.proto for each field in which a tensor can lie.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

TENSORS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {
        **{5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
        **{22: "sparse", 23: "sparse"},
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
DEEPEST = 200
VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)


def external_files(model: Path) -> set[str]:
    """The names of the files that a model reads; none for a file that is no protobuf.

    Such a file is refused by all that compile models.
    """
    if not model.stat().st_size:
        return set()
    with (
        model.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        return set(_locations(data, "model", 0))


def _locations(data: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if kind == "external":
        entry = {number: bytes(value) for number, value in _fields(data)}
        if entry.get(1) == b"location":
            yield entry.get(2, b"").decode("utf-8", "replace")
        return
    inner = TENSORS[kind]
    for number, value in _fields(data):
        if number in inner:
            yield from _locations(value, inner[number], depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field that has a length; the others are passed over.

    What follows a byte that protobuf does not allow is not read.
    """
    at, groups = 0, 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == VARINT:
            at = _varint(data, at)[1]
        elif wire == BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                return
            if not groups:
                yield tag >> 3, data[at : at + size]
            at += size
        elif wire in (FIXED64, FIXED32):
            at += 8 if wire == FIXED64 else 4
        elif wire in (GROUP, GROUP_END):
            groups += 1 if wire == GROUP else -1
        else:
            return


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at] if at < len(data) else 0
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            break
    return value, at
