"""A version with an alignment: its reference picture is one of its files, and checked."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.base.errors import ProductError
from edge.base.files import digest
from edge.product.alignment_file import read_aligner, write_reference
from edge.product.manifest import Manifest, parse_manifest
from edge.product.product import load_product
from edge.vision.aligner import make_aligner
from edge.vision.alignment import REFERENCE_FILE, Alignment
from edge.vision.fit import Fit
from tests.support.minimal_station import PRODUCT
from tests.support.moved_parts import bracket, photograph
from tests.support.release_files import make

LIMITS = Alignment(turn=180, shift=0.2, quality=0.7)


def version(folder: Path, height: int = 64, width: int = 96) -> Manifest:
    """A manifest with an alignment, and its file in the folder."""
    aligner = make_aligner(LIMITS, Fit(height, width)(photograph(bracket))[0])
    write_reference(folder, aligner)
    update = {"alignment": LIMITS, "height": height, "width": width}
    return PRODUCT.manifest.model_copy(update=update)


def test_align_a_reference_comes_back_as_it_was(tmp_path: Path) -> None:
    manifest = version(tmp_path)
    aligner = make_aligner(LIMITS, Fit(64, 96)(photograph(bracket))[0])
    assert read_aligner(tmp_path, manifest) == aligner
    assert read_aligner(tmp_path, PRODUCT.manifest) is None
    again = parse_manifest(manifest.model_dump_json().encode())
    assert again.alignment == LIMITS


def test_align_the_reference_of_a_large_input_stays_small(tmp_path: Path) -> None:
    manifest = version(tmp_path, 2048, 4096)
    aligner = read_aligner(tmp_path, manifest)
    assert aligner is not None
    assert aligner.reference.shape == (512, 1024, 3)


def test_align_a_reference_that_is_missing_cut_huge_or_of_another_size_is_refused(
    tmp_path: Path,
) -> None:
    manifest, path = version(tmp_path), tmp_path / REFERENCE_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(ProductError, match="restore it"):
        read_aligner(tmp_path, manifest)
    path.write_bytes(whole + bytes(5 << 20))
    with pytest.raises(ProductError, match="larger than"):
        read_aligner(tmp_path, manifest)
    cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(ProductError, match="another size"):
        read_aligner(tmp_path, manifest)
    path.unlink()
    with pytest.raises(ProductError, match="restore it"):
        read_aligner(tmp_path, manifest)


@pytest.mark.parametrize(
    "wrong",
    [{"turn": 0}, {"turn": 181}, {"shift": 0}, {"shift": 0.6}, {"quality": 0.1}, {"quality": 1},
     {"turn": float("nan")}, {"more": 1}],
)  # fmt: skip
def test_align_limits_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    values = json.loads(PRODUCT.manifest.model_dump_json())
    values["alignment"] = LIMITS.model_dump() | wrong
    with pytest.raises(ValueError, match=r"alignment|NaN"):
        parse_manifest(json.dumps(values).encode())


def test_align_digests_differ_where_pictures_do(tmp_path: Path) -> None:
    version(tmp_path)
    before = digest(tmp_path / REFERENCE_FILE)
    write_reference(tmp_path, make_aligner(LIMITS, Fit(64, 96)(photograph(bracket, seed=5))[0]))
    assert digest(tmp_path / REFERENCE_FILE) != before


@pytest.mark.parametrize("crop", [[0, 0, 65536, 1], [0, 0, 1, 65536], [5, 5, 12900, 128]])
def test_align_a_crop_too_narrow_to_find_a_part_in_is_refused_at_load(
    tmp_path: Path, crop: list[int]
) -> None:
    path = make(tmp_path).path
    aligned = version(path, 64, 64)
    known = json.loads((path / "manifest.json").read_text())
    files = known["files"] | {REFERENCE_FILE: digest(path / REFERENCE_FILE)}
    values = {"alignment": aligned.model_dump()["alignment"], "files": files, "crop": crop}
    (path / "manifest.json").write_text(json.dumps(known | values))
    with pytest.raises(ProductError, match="too narrow to find a part in it"):
        load_product(tmp_path, "lid", "1")
