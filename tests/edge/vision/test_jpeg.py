"""JPEG: equal to a second decoder, or refused where anything is missing or damaged."""

import contextlib
import io
import re
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.base.errors import ImageError
from edge.vision.image_files import decode_image

SIDES = 96, 80
PICTURE = cv2.resize(np.random.default_rng(1).integers(0, 256, (12, 10, 3), np.uint8), SIDES[::-1])
END = b"\xff\xd9"

ENCODINGS: dict[str, dict[str, object]] = {
    "baseline": {},
    "baseline 4:4:4": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_rows": 1},
    "gray": {"mode": "L"},
    "gray progressive": {"mode": "L", "progressive": True},
    "CMYK": {"mode": "CMYK"},
}


def encoded(encoding: str, **more: object) -> bytes:
    options = {"quality": 90, **ENCODINGS[encoding], **more}
    buffer = io.BytesIO()
    image = Image.fromarray(PICTURE[..., ::-1]).convert(str(options.pop("mode", "RGB")))
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def reference(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("trailer", [b"", b"\0" * 64, b"camera data", END, END + b"\xff\xda\0\0"])
def test_a_whole_jpeg_is_read_whatever_follows_its_end_marker(
    encoding: str, trailer: bytes
) -> None:
    data = encoded(encoding) + trailer
    assert (decode_image(data, "part.jpg") == reference(data)).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", [b"", END], ids=["cut", "cut, end marker appended"])
@pytest.mark.parametrize("kept", [0.3, 0.55, 0.9, 0.99])
def test_a_cut_jpeg_is_refused_also_with_an_end_marker(
    encoding: str, end: bytes, kept: float
) -> None:
    data = encoded(encoding)
    with pytest.raises(ImageError, match=r"part\.jpg is damaged or cut"):
        decode_image(data[: int(len(data) * kept)] + end, "part.jpg")


@pytest.mark.parametrize("encoding", ["progressive", "gray progressive"])
def test_a_progressive_jpeg_that_ends_between_two_scans_is_refused(encoding: str) -> None:
    data = encoded(encoding)
    scans = [found.start() for found in re.finditer(b"\xff[\xc4\xda]", data)]
    first = data.index(b"\xff\xda")
    assert len(scans) > 6
    for cut in scans:
        with pytest.raises(ImageError, match="is damaged or cut"):
            decode_image(data[:cut] + END, "part.jpg" if cut > first else "no scan at all")


def test_a_baseline_jpeg_without_the_scan_of_a_color_is_refused() -> None:
    """Cut behind the first of three scans, one for each color: libjpeg gives a gray picture."""
    gray, color = encoded("gray"), encoded("baseline 4:4:4")
    frame = color.index(b"\xff\xc0")
    length = int.from_bytes(color[frame + 2 : frame + 4])
    own = gray.index(b"\xff\xc0")
    one_scan = gray[:own] + color[frame : frame + 2 + length] + gray[own + 2 + 11 :]
    tables = gray[:own].count(b"\xff\xdb")
    if tables < 2:  # the second quantisation table belongs to the frame with colors
        one_scan = one_scan.replace(b"\xff\xc0", second_table() + b"\xff\xc0", 1)
    assert reference(one_scan).shape == (*SIDES, 3)
    with pytest.raises(ImageError, match="scans are missing"):
        decode_image(one_scan, "part.jpg")


def second_table() -> bytes:
    return b"\xff\xdb" + struct.pack(">HB", 67, 1) + bytes([1] * 64)


def test_restart_markers_do_not_hide_what_is_missing() -> None:
    data = encoded("restart markers")
    marks = [found.start() for found in re.finditer(b"\xff[\xd0-\xd7]", data)]
    damaged = {
        "cut before a marker": data[: marks[1]] + END,
        "cut behind a marker": data[: marks[1] + 2] + END,
        "one interval taken out": data[: marks[0]] + data[marks[1] :],
        "last interval taken out": data[: marks[-1]] + END,
    }
    for name, cut in damaged.items():
        assert reference(cut).shape == (*SIDES, 3)
        with pytest.raises(ImageError, match="is damaged or cut"):
            decode_image(cut, name)


def test_a_frame_completed_from_another_picture_is_refused() -> None:
    """The upper half of one baseline JPEG, the end of another one of the same size."""
    data, other = encoded("baseline"), encoded("baseline", quality=40)
    with pytest.raises(ImageError, match="is damaged or cut"):
        decode_image(data[: len(data) // 2] + other[-200:], "part.jpg")


def test_wrong_heights_and_12_bits_are_refused() -> None:
    data = encoded("baseline")
    frame = data.index(b"\xff\xc0")
    for height in (SIDES[0] // 2, SIDES[0] * 2):
        changed = data[: frame + 5] + struct.pack(">H", height) + data[frame + 7 :]
        with pytest.raises(ImageError, match="is damaged or cut"):
            decode_image(changed, "part.jpg")
    with pytest.raises(ImageError, match="precision 12"):
        decode_image(data[: frame + 4] + b"\x0c" + data[frame + 5 :], "part.jpg")


def test_a_jpeg_of_too_many_pixels_is_refused_with_its_size() -> None:
    data = encoded("baseline")
    frame = data.index(b"\xff\xc0")
    huge = data[: frame + 5] + struct.pack(">HH", 60000, 60000) + data[frame + 9 :]
    with pytest.raises(ImageError, match=r"part\.jpg is 60000x60000: at most 268 megapixels"):
        decode_image(huge, "part.jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_as_its_exif_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    data = encoded("baseline", exif=exif)
    image = decode_image(data, "part.jpg")
    assert image.shape == ((*SIDES, 3) if orientation < 5 else (*SIDES[::-1], 3))
    assert (image == reference(data)).all()
    with pytest.raises(ImageError, match="is damaged or cut"):
        decode_image(data[: len(data) // 2] + END, "part.jpg")


def test_whatever_bytes_change_in_a_jpeg_it_is_read_or_an_image_error() -> None:
    random = np.random.default_rng(2)
    for encoding in ENCODINGS:
        data = encoded(encoding)
        for _ in range(300):
            changed = bytearray(data)
            for place in random.integers(2, 650, 3):
                changed[place] = random.integers(256)
            with contextlib.suppress(ImageError):
                decode_image(bytes(changed), "part.jpg")


def test_a_sampling_that_the_decoder_does_not_name_is_refused() -> None:
    data = encoded("baseline")
    sampling = data.index(b"\xff\xc0") + 11
    with pytest.raises(ImageError):
        decode_image(data[:sampling] + b"\x14" + data[sampling + 1 :], "part.jpg")
