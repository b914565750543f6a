"""Image files of every kind that a plant has, and those that must be refused."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from edge.base.errors import ImageError
from edge.vision.image_files import (
    decode_image,
    find_images,
    read_image,
    read_images,
    read_samples,
)

GRAY = np.linspace(0, 255, 40 * 48).reshape(40, 48).astype(np.uint8)


def written(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_every_format_comes_as_bgr(tmp_path: Path, suffix: str) -> None:
    image = np.zeros((40, 48, 3), np.uint8)
    image[..., 0] = 200
    read = read_image(written(tmp_path / f"a{suffix}", image))
    assert read.shape == (40, 48, 3)
    assert read[..., 0].mean() > 190
    assert read[..., 2].mean() < 10


def test_gray_is_replicated_and_alpha_dropped(tmp_path: Path) -> None:
    gray = read_image(written(tmp_path / "gray.png", GRAY))
    assert all((gray[..., i] == GRAY).all() for i in range(3))
    alpha = np.dstack([gray, np.zeros_like(GRAY)])
    assert (read_image(written(tmp_path / "alpha.png", alpha)) == gray).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("bit_depth", "shift"), [(None, 8), (12, 4), (10, 2)])
def test_16_bits_are_shifted_by_the_setting_never_by_the_maximum(
    tmp_path: Path, suffix: str, bit_depth: int | None, shift: int
) -> None:
    deep = (np.arange(40 * 48).reshape(40, 48) % 1000).astype(np.uint16)
    read = read_image(written(tmp_path / f"deep{suffix}", deep), bit_depth)
    assert (read[..., 0] == deep >> shift).all()


def with_sbit(png: bytes, depth: int) -> bytes:
    body = b"sBIT" + bytes([depth])
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]  # behind IHDR


def test_the_sbit_of_a_png_shifts_nothing_since_samples_fill_their_range() -> None:
    """PNG 3, 13.12: 12 bits are stored as 16, their highest bits repeated below."""
    ramp = np.linspace(0, 4095, 40 * 48).reshape(40, 48).astype(np.uint16)
    data = with_sbit(cv2.imencode(".png", ramp << 4 | ramp >> 8)[1].tobytes(), 12)
    assert (decode_image(data, "x")[..., 0] == ramp >> 4).all()
    with pytest.raises(ImageError, match=r"more than 12 bits: state the right --bit-depth"):
        decode_image(data, "x", 12)


def test_12_bits_in_16_are_read_with_a_warning_for_each_folder_that_names_the_option(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ramp = np.linspace(0, 4095, 40 * 48).reshape(40, 48).astype(np.uint16)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for i in range(3):
            read_image(written(tmp_path / folder / f"{i}.png", ramp))
    assert caplog.text.count("--bit-depth 12") == 2
    read_image(written(tmp_path / "deep.png", ramp << 4))
    assert (read_image(written(tmp_path / "a.png", ramp), 12)[..., 0] == ramp >> 4).all()
    assert caplog.text.count("--bit-depth") == 2


def test_a_tiff_that_states_a_largest_value_needs_the_bit_depth() -> None:
    """MaxSampleValue may be the depth or the largest value of this very picture."""
    deep = np.full((40, 48), 4000, np.uint16)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, deep, extratags=[(281, 3, 1, 4095, True)])
    with pytest.raises(ImageError, match=r"a\.tif states a largest value.*--bit-depth 12"):
        decode_image(buffer.getvalue(), "a.tif")
    assert (decode_image(buffer.getvalue(), "a.tif", 12) == 4000 >> 4).all()


def test_samples_are_read_at_full_depth_and_with_alpha(tmp_path: Path) -> None:
    ones = np.ones((40, 48), np.uint16)
    assert (read_samples(written(tmp_path / "ones.png", ones)) == 1).all()
    assert read_samples(tmp_path / "ones.png").dtype == np.uint16
    alpha = np.dstack([np.zeros((40, 48, 3), np.uint8), GRAY])
    assert (read_samples(written(tmp_path / "alpha.png", alpha))[..., 3] == GRAY).all()
    assert read_samples(written(tmp_path / "small.png", np.ones((3, 2), np.uint8))).shape == (3, 2)
    cut = written(tmp_path / "ones.tif", ones)
    cut.write_bytes(cut.read_bytes()[:100])
    with pytest.raises(ImageError, match=r"ones\.tif is damaged or cut"):
        read_samples(cut)


@given(st.binary(max_size=300))
def test_rubbish_is_an_image_error(data: bytes) -> None:
    with pytest.raises(ImageError):
        decode_image(data, "rubbish")


def test_a_tiny_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="31x40"):
        read_image(written(tmp_path / "a.png", np.zeros((40, 31), np.uint8)))
    assert read_image(written(tmp_path / "b.png", np.zeros((32, 32), np.uint8))).shape[0] == 32


def test_one_broken_image_is_skipped_with_name_and_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(30):
        written(tmp_path / f"{i:02d}.png", GRAY)
    (tmp_path / "07.png").write_bytes(b"not a picture")
    with caplog.at_level("WARNING"):
        read = list(read_images(tmp_path))
    assert len(read) == 29
    assert "07.png" in caplog.text
    assert "1 of 30" in caplog.text


def test_many_broken_images_are_refused(tmp_path: Path) -> None:
    for i in range(10):
        written(tmp_path / f"{i}.png", GRAY)
    (tmp_path / "3.png").write_bytes(b"")
    with pytest.raises(ImageError, match="1 of 10"):
        list(read_images(tmp_path))


def test_missing_and_empty_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        find_images(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ImageError, match="holds no images"):
        find_images(tmp_path)
