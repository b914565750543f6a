"""golden.npz: complete, finite, and never larger than it may be, whatever it says of itself."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.base.errors import ProductError
from edge.product.golden import Golden, read_golden
from edge.product.product import Product
from tests.support.release_files import make

SIDE, COUNT = 64, 2


def arrays(**others: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """What a golden.npz holds; None leaves one out."""
    heat = np.full((COUNT, SIDE, SIDE), 0.5, np.float32)
    score = np.full(COUNT, 0.5, np.float32)
    frames = np.zeros((COUNT, SIDE, SIDE, 3), np.uint8)
    found: dict[str, NDArray[Any] | None] = {
        "frames": frames, "score": score, "heatmap": heat,
        "negative_score": score, "negative_heatmap": heat,
    }  # fmt: skip
    return {name: array for name, array in (found | others).items() if array is not None}


def packed(given: Mapping[str, NDArray[Any]], **how: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **({"compression": zipfile.ZIP_DEFLATED} | how)) as file:
        for name, array in given.items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=True)
            file.writestr(f"{name}.npy", member.getvalue())
    return out.getvalue()


def header(shape: str, descr: str = "'|u1'", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + size + text


def with_frames(member: bytes, **how: Any) -> bytes:
    """Another frames.npy, as it stands."""
    out = io.BytesIO(packed(arrays(frames=None), **how))
    with zipfile.ZipFile(out, "a", **({"compression": zipfile.ZIP_DEFLATED} | how)) as file:
        file.writestr("frames.npy", member)
    return out.getvalue()


def product_with(folder: Path, golden: bytes) -> Product:
    product = make(folder)
    (product.path / "golden.npz").write_bytes(golden)
    return product


def test_golden_frames_are_read_as_they_were_written(tmp_path: Path) -> None:
    frames = np.arange(COUNT * SIDE * SIDE * 3).astype(np.uint8).reshape(COUNT, SIDE, SIDE, 3)
    for order in (frames, np.asfortranarray(frames)):
        golden = read_golden(product_with(tmp_path / str(id(order)), packed(arrays(frames=order))))
        assert (golden.frames == frames).all()
        assert golden.score.dtype == np.float32


HUGE = "(1000000, 64, 64, 3)"
ZEROS = bytes(300_000_000)
BOMBS = {
    "four gigabytes of zeros in their shape": with_frames(header(HUGE) + ZEROS[:9]),
    "300 MB of zeros behind the frames": with_frames(header("(2, 64, 64, 3)") + ZEROS),
    "300 MB of zeros that nobody asked for": packed(arrays(more=np.zeros(300_000_000, np.uint8))),
    "a header of 300 MB": with_frames(
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 300_000_000) + ZEROS
    ),
    "a shape that overflows": with_frames(header("(2, 99999999999999999999, 64, 3)")),
    "a packing that needs much memory": packed(arrays(), compression=zipfile.ZIP_LZMA),
}
del ZEROS


@pytest.mark.parametrize("name", BOMBS)
def test_golden_frames_that_would_fill_the_memory_are_refused(tmp_path: Path, name: str) -> None:
    product = product_with(tmp_path, BOMBS[name])
    assert len(BOMBS[name]) < 2_000_000
    tracemalloc.start()
    try:
        if name.endswith("asked for"):
            read_golden(product)
        else:
            with pytest.raises(ProductError, match=r"golden\.npz cannot be used"):
                read_golden(product)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


class Evil:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run",))


def halved() -> bytes:
    data = packed(arrays())
    return data[: len(data) // 2]


def flipped() -> bytes:
    data = bytearray(packed(arrays(), compression=zipfile.ZIP_STORED))
    data[1000] ^= 1
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(packed(arrays()))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    return bytes(data)


NAN = np.full((COUNT, SIDE, SIDE), np.nan, np.float32)
SPOILED = {
    "empty": b"",
    "no zip": b"golden",
    "an empty zip": packed({}),
    "half of it": halved(),
    "a flipped bit": flipped(),
    "encrypted": encrypted(),
    "pickled": packed(arrays(frames=np.array([Evil()] * COUNT, object))),
    "a scalar": packed(arrays(frames=np.array(1, np.uint8))),
    "no frames": packed(arrays(frames=np.zeros((0, SIDE, SIDE, 3), np.uint8))),
    "one frame more": packed(arrays(frames=np.zeros((COUNT + 1, SIDE, SIDE, 3), np.uint8))),
    "another size": packed(arrays(frames=np.zeros((COUNT, 32, 32, 3), np.uint8))),
    "gray": packed(arrays(frames=np.zeros((COUNT, SIDE, SIDE), np.uint8))),
    "float64": packed(arrays(score=np.zeros(COUNT))),
    "text": packed(arrays(score=np.array(["a", "b"]))),
    "NaN": packed(arrays(heatmap=NAN)),
    "NaN in the untrained": packed(arrays(negative_heatmap=NAN)),
    "infinite": packed(arrays(negative_score=np.full(COUNT, np.inf, np.float32))),
    "negative": packed(arrays(score=np.full(COUNT, -1, np.float32))),
    "above 1": packed(arrays(heatmap=np.full((COUNT, SIDE, SIDE), 9, np.float32))),
    "a negative shape": with_frames(header("(-2, 64, 64, 3)")),
    "a header that is no dictionary": with_frames(b"\x93NUMPY\x01\x00\x02\x00[]"),
    "a header nested without end": with_frames(header("(" * 5000)),
    "a shape of other things": with_frames(header("('a', 1.5)")),
    "records": with_frames(header("(2,)", "[('a', '|u1', (9,))]")),
    "cut": with_frames(header("(2, 64, 64, 3)") + b"ab"),
    **{f"without {name}": packed(arrays(**{name: None})) for name in Golden._fields},
}


@pytest.mark.parametrize("golden", SPOILED.values(), ids=SPOILED.keys())
def test_golden_frames_that_are_not_whole_are_one_line(
    tmp_path: Path, golden: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProductError, match=r"golden\.npz cannot be used \(.+\)") as caught:
        read_golden(product_with(tmp_path, golden))
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_a_member_whose_stated_size_is_wrong_is_refused(tmp_path: Path) -> None:
    """The size in the zip's own directory decides nothing."""
    data = bytearray(packed(arrays(), compression=zipfile.ZIP_STORED))
    at = data.index(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 1 << 30, 1 << 30)
    with pytest.raises(ProductError, match="cannot be used"):
        read_golden(product_with(tmp_path, bytes(data)))
    assert zlib.crc32(data)
