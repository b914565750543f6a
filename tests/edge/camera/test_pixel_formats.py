"""Pixel formats on byte vectors that were written out by hand from the standard."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.base.errors import CameraError
from edge.camera.genicam.pixel_formats import FORMATS, pixel_format, to_image, unpack

CODES = {kind.name: code for code, kind in FORMATS.items()}


def made(name: str, data: list[int], height: int, width: int, padding: int = 0) -> list[object]:
    image = to_image(bytes(data), CODES[name], height, width, padding)
    assert image.dtype == np.uint8
    found: list[object] = image.tolist()
    return found


def test_mono8_is_unchanged() -> None:
    assert made("Mono8", [0, 1, 254, 255, 7, 8], 2, 3) == [[0, 1, 254], [255, 7, 8]]


def test_mono8_with_padding_after_each_row() -> None:
    assert made("Mono8", [1, 2, 99, 3, 4, 99], 2, 2, padding=1) == [[1, 2], [3, 4]]
    assert made("Mono8", [1, 2, 99, 3, 4], 2, 2, padding=1) == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("name", "top"), [("Mono10", 0x3FF), ("Mono12", 0xFFF), ("Mono14", 0x3FFF), ("Mono16", 0xFFFF)]
)
def test_deep_pixels_are_little_endian_and_keep_their_upper_bits(name: str, top: int) -> None:
    half = (top + 1) // 2
    data = [*top.to_bytes(2, "little"), *half.to_bytes(2, "little"), 3, 0]
    assert made(name, data, 1, 3) == [[255, 128, 0]]


def test_mono10p_four_pixels_in_five_bytes_least_significant_bit_first() -> None:
    # 0x001, 0x3ff, 0x200, 0x0fc: bits of pixel 0 first, each from its lowest on.
    data = [0x01, 0xFC, 0x0F, 0x20, 0x3F]
    assert made("Mono10p", data, 1, 4) == [[0x00, 0xFF, 0x80, 0x3F]]


def test_mono12p_two_pixels_in_three_bytes() -> None:
    # 0x123 then 0xabc: 23, c1, ab.
    assert made("Mono12p", [0x23, 0xC1, 0xAB], 1, 2) == [[0x12, 0xAB]]


def test_mono12packed_and_mono10packed_of_gige_vision() -> None:
    # 0x123 then 0xabc: upper bits, both lower nibbles, upper bits.
    assert made("Mono12Packed", [0x12, 0xC3, 0xAB], 1, 2) == [[0x12, 0xAB]]
    assert made("Mono10Packed", [0x12, 0x31, 0xAB], 1, 2) == [[0x12, 0xAB]]


@pytest.mark.parametrize("name", ["Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed"])
def test_an_odd_number_of_packed_pixels(name: str) -> None:
    kind = FORMATS[CODES[name]]
    data = [0xFF] * -(-5 * kind.bits // 8)
    assert made(name, data, 1, 5) == [[255] * 5]


@given(st.sampled_from([10, 12]), st.lists(st.integers(0, 0xFFF), min_size=1, max_size=40))
def test_unpack_agrees_with_packing_bit_by_bit(bits: int, values: list[int]) -> None:
    values = [value % (1 << bits) for value in values]
    whole = sum(value << (bits * i) for i, value in enumerate(values))
    data = whole.to_bytes(-(-len(values) * bits // 8), "little")
    found = unpack(np.frombuffer(data, np.uint8), bits, len(values))
    assert found.tolist() == [value >> (bits - 8) for value in values]


@pytest.mark.parametrize(
    ("name", "tile"),
    [("BayerRG8", "RG GB"), ("BayerGR8", "GR BG"), ("BayerGB8", "GB RG"), ("BayerBG8", "BG GR")],
)
@pytest.mark.parametrize("colour", [(200, 0, 0), (0, 200, 0), (0, 0, 200)])
def test_bayer_gives_the_colour_of_its_mosaic(
    name: str, tile: str, colour: tuple[int, int, int]
) -> None:
    value = dict(zip("BGR", colour, strict=True))
    rows = [[value[letter] for letter in row] * 8 for row in tile.split()] * 8
    image = to_image(bytes(np.array(rows, np.uint8)), CODES[name], 16, 16)
    assert image.shape == (16, 16, 3)
    assert (image[4:12, 4:12] == colour).all()


def test_rgb8_becomes_bgr_and_bgr8_is_unchanged() -> None:
    assert made("RGB8", [1, 2, 3, 4, 5, 6], 1, 2) == [[[3, 2, 1], [6, 5, 4]]]
    assert made("BGR8", [1, 2, 3, 4, 5, 6], 1, 2) == [[[1, 2, 3], [4, 5, 6]]]


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("YUV422_8_UYVY", "uyvy"),
        ("YCbCr422_8_CbYCrY", "uyvy"),
        ("YUV422_8", "yuyv"),
        ("YCbCr422_8", "yuyv"),
    ],
)
@pytest.mark.parametrize("bgr", [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255,) * 3, (0,) * 3])
def test_yuv422_of_pure_colours(name: str, order: str, bgr: tuple[int, int, int]) -> None:
    y, v, u = cv2.cvtColor(np.array([[bgr]], np.uint8), cv2.COLOR_BGR2YCrCb)[0, 0].tolist()
    data = [u, y, v, y] if order == "uyvy" else [y, u, y, v]
    image = to_image(bytes(data * 2), CODES[name], 2, 2)
    assert np.abs(image.astype(int) - bgr).max() <= 3


def test_yuv422_keeps_each_pixels_own_brightness() -> None:
    image = to_image(bytes([128, 10, 128, 240]), CODES["YUV422_8_UYVY"], 1, 2)
    assert image.tolist() == [[[10, 10, 10], [240, 240, 240]]]


@pytest.mark.parametrize("name", sorted(CODES))
@pytest.mark.parametrize("padding", [0, 3])
def test_too_few_bytes_are_an_error(name: str, padding: int) -> None:
    kind = FORMATS[CODES[name]]
    need = 4 * (8 * kind.bits // 8) + 3 * padding
    to_image(bytes(need), CODES[name], 4, 8, padding)
    with pytest.raises(ValueError, match="too few"):
        to_image(bytes(need - 1), CODES[name], 4, 8, padding)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(CameraError, match=r"0x02200017 is not supported.*Mono8"):
        pixel_format(0x02200017)


@pytest.mark.parametrize(("height", "width"), [(0, 8), (8, 0), (2, 3)])
def test_impossible_sizes_are_an_error(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        to_image(bytes(100), CODES["YUV422_8"], height, width)
