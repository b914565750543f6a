"""What a product's files hold: every number in range, nothing outside of the version's folder."""

import json
from pathlib import Path

import pytest

from edge.base.errors import DraemError, ProductError
from edge.base.files import digest
from edge.engine.plan import Record, read_plan
from edge.engine.runtimes import plan_key
from edge.product.product import load_product
from edge.vision.drift_features import FEATURES
from edge.vision.geometry import GeometryError, read_geometry
from tests.support.release_files import build, make

SHORT = {"window": 9, "limit": 5, "false_alarm": 0, "low": [0], "high": [1]}
DRIFT = SHORT | {"low": [0] * FEATURES, "high": [1] * FEATURES}
LENS = {"camera_matrix": [[100, 0, 32], [0, 100, 32], [0, 0, 1]], "distortion": [0, 0, 0, 0]}
IMPOSSIBLE_LEVELS: list[object] = [
    *(float("inf"), float("nan"), -0.1, 0, 1.5, 1e308, 10**400, "0.5", True, None, [])
]
SQUARE = [[1, 1], [9, 1], [9, 9], [1, 9]]


def write(version: Path, name: str, text: str) -> None:
    """Replace a JSON file as an attacker does: its digest in the manifest is right."""
    (version / name).write_text(text)
    if name != "manifest.json":
        manifest = json.loads((version / "manifest.json").read_text())
        manifest["files"][name] = digest(version / name)
        (version / "manifest.json").write_text(json.dumps(manifest))


def with_values(version: Path, name: str, **values: object) -> None:
    write(version, name, json.dumps(json.loads((version / name).read_text()) | values))


def refused(products: Path) -> str:
    with pytest.raises(ProductError) as caught:
        load_product(products, "lid", "1")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        *({"threshold": v} for v in IMPOSSIBLE_LEVELS),
        *({"pixel_threshold": v} for v in (float("inf"), -1, 2)),
        *({"min_area": v} for v in (0, -1, 1.5, 10**30, float("nan"))),
        *({"brightness": {"low": a, "high": b}} for a, b in ((9, 1), (-1, 1), (0, 1e300))),
        *({"contrast": {"low": v, "high": 1}} for v in (float("nan"), float("-inf"), None)),
        {"sharpness": {"low": 1}},
        *({"false_reject_rate": v} for v in (-1, 2, float("nan"))),
        *({"expected_rate": v} for v in (-1, 2)),
        *({"rate_bound": v} for v in (-1, 2)),
        *({"confidence": v} for v in (-1, 2)),
        {"scores": [0.2, 0.1]},
        {"scores": [-0.1]},
        {"scores": [float("inf")]},
        {"scores": "0.1"},
        {"escapes": {"missed": 3, "bad": 2, "bound": 0.1}},
        {"escapes": {"missed": -3, "bad": 2, "bound": 0.1}},
        {"escapes": {"missed": 1, "bad": 2, "bound": 7}},
        {"drift": SHORT},
        *({"drift": DRIFT | {"window": v}} for v in (0, -1, 10**12, 2.5)),
        *({"drift": DRIFT | {"limit": v}} for v in (0, 10)),
        {"drift": DRIFT | {"low": [2] * FEATURES}},
        {"drift": DRIFT | {"high": [float("inf")] * FEATURES}},
        {"frames": {"000.png": float("nan")}},
        {"frames": {"000.png": 3}},
        {"frames": {"../../../etc/passwd": 0.1}},
        {"frames": {"/etc/passwd": 0.1}},
        {"frames": {"001.png": 0.1}},
        {"geometry": {"frame": [0, 64]}},
        {"geometry": {"mm_per_pixel": float("inf")}},
        {"geometry": {"frame": [64, 64], "lens": LENS | {"distortion": [float("nan")] * 4}}},
        {"geometry": {"regions_of_interest": {"a": SQUARE}}, "roi_thresholds": {}},
        {"geometry": {"regions_of_interest": {"a": SQUARE}}, "roi_thresholds": {"a": 9}},
        {"geometry": {"regions_of_interest": {"a": SQUARE[:2]}}, "roi_thresholds": {"a": 0.5}},
        {"roi_thresholds": {"a": 0.5}},
    ],
    ids=lambda values: json.dumps(values)[:60],
)  # fmt: skip
def test_a_calibration_with_an_impossible_number_is_refused(
    tmp_path: Path, values: dict[str, object]
) -> None:
    with_values(make(tmp_path).path, "calibration.json", **values)
    assert "calibration.json" in refused(tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        *({"height": v} for v in (0, -64, 65, 10**9, 64.5, "64", float("nan"))),
        *({"rec_width": v} for v in (0, -1, 10**9)),
        *({"seg_width": v} for v in (0, float("inf"))),
        *({"score_window": v} for v in (0, -3, 2, 65, 10**30)),
        *({"crop": v} for v in ([-1, 0, 9, 9], [0, 0, 0, 9], [0, 0, 9, -9], [65530, 0, 9, 9])),
        *({"crop": v} for v in ([0, 0, 9], [0, 0, 10**20, 9], [0, 0, 1e999, 9], "0,0,9,9")),
        {"geometry": {"frame": [-1, 64]}},
        {"origin": {"seconds": float("inf")}},
        {"manifest_schema": 10**30},
        {"manifest_schema": 2, "height": "64"},
        {"interpolation": "cubic"},
    ],
    ids=lambda values: json.dumps(values)[:60],
)
def test_a_manifest_with_an_impossible_number_is_refused(
    tmp_path: Path, values: dict[str, object]
) -> None:
    with_values(make(tmp_path).path, "manifest.json", **values)
    assert "manifest.json" in refused(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "calibration.json"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": NaN}', "NaN is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": 1e999}', "1e999 is no finite number"),
        ('{"a": 1, "b": 2, "a": 3}', "has the key 'a' twice"),
        ('{"a": {"b": 1, "b": 1}}', "has the key 'b' twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a": 1' + "0" * 5000 + "}", "cannot be read"),
        ('{"a": "\udcff"}', "cannot be read"),
        (" " * (17 << 20), "larger than"),
        ("null", "cannot be read"),
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)
def test_json_that_readers_understand_differently_is_refused(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    version = make(tmp_path).path
    (version / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    if name != "manifest.json":
        write(version, name, (version / name).read_bytes().decode("latin-1"))
    assert why in refused(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        *("../../../victim.txt", "/etc/hostname", "a/../../b", "..", ".", "", "a//b", "a/", "./a"),
        *(".hidden", "a\\b", "a\0b", "a\nb", "ä", "engines/x.plan", "engines", "manifest.json"),
        *("x" * 100, "model.onnx/a"),
    ],
)
def test_a_manifest_that_names_a_file_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    version = make(tmp_path).path
    files = json.loads((version / "manifest.json").read_text())["files"]
    with_values(version, "manifest.json", files=files | {name: "0" * 64})
    assert "files: the name" in refused(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "calibration/000.png", "manifest.json"])
def test_a_file_of_a_version_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    file = make(tmp_path / "products").path / name
    file.rename(tmp_path / "victim")
    file.symlink_to(tmp_path / "victim")
    assert "is a link" in refused(tmp_path / "products")


def test_a_crop_outside_the_frames_of_its_geometry_is_refused(tmp_path: Path) -> None:
    version = make(tmp_path).path
    with_values(version, "calibration.json", geometry={"frame": [100, 100]})
    assert load_product(tmp_path, "lid").fit.geometry
    with_values(version, "manifest.json", crop=[60, 0, 64, 64])
    assert "60,0,64,64 reaches beyond" in refused(tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        *({"plan": p} for p in ("../../../x", "", "0" * 63, "G" * 64)),
        *({"batches": b} for b in ([], [0], [-1], [10**9], [1.5], "1")),
        *({"proof": {"score_max": v}} for v in (float("nan"), float("inf"), "0")),
        {"proven": "yes"},
    ],
    ids=lambda values: json.dumps(values)[:60],
)
def test_an_engine_record_with_an_impossible_value_is_refused(
    tmp_path: Path, values: dict[str, object]
) -> None:
    product = make(tmp_path)
    build(product)
    (path,) = product.engines.glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(DraemError, match="cannot be read: run 'draem build") as caught:
        read_plan(product, plan_key(product, "openvino"))
    assert "\n" not in str(caught.value)
    assert Record.model_fields.keys() >= values.keys()


@pytest.mark.parametrize(
    "text",
    ['{"mm_per_pixel": Infinity}', '{"mm_per_pixel": 1, "mm_per_pixel": 2}', "[" * 100_000, ""],
    ids=lambda text: str(text)[:20],
)
def test_a_geometry_file_is_read_as_strictly(tmp_path: Path, text: str) -> None:
    path = tmp_path / "geometry.json"
    path.write_text(text)
    with pytest.raises(GeometryError) as caught:
        read_geometry(path)
    assert "\n" not in str(caught.value)


def varint(value: int) -> bytes:
    """As protobuf writes a number."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(location: str) -> bytes:
    """A TensorProto whose data is in a file."""
    entry = field(1, b"location") + field(2, location.encode())
    return b"\x08\x04" + field(13, field(1, b"offset") + field(2, b"0")) + field(13, entry)


ATTRIBUTES = {
    "tensor": field(5, tensor("w.bin")),
    "tensors": field(10, tensor("w.bin")),
    "subgraph": field(6, field(5, tensor("w.bin"))),
    "subgraphs": field(11, field(1, field(5, field(5, tensor("w.bin"))))),
    "sparse": field(22, field(1, tensor("w.bin"))),
}
PLACES = {
    "initializer": field(7, field(5, tensor("w.bin"))),
    "sparse initializer": field(7, field(15, field(2, tensor("w.bin")))),
    "training": field(20, field(1, field(5, tensor("w.bin")))),
    "function": field(25, field(7, field(5, field(5, tensor("w.bin"))))),
    "numbers longer than they need be": b"\x8a\x80\x00\x88\x00location\x12\x05w.bin",
    "behind a group": b"\x13\x08\x01\x14" + field(7, field(5, tensor("w.bin"))),
    "outside of the folder": field(7, field(5, tensor("../../w.bin"))),
    "absolute": field(7, field(5, tensor("/etc/hostname"))),
    **{f"node {name}": field(7, field(1, field(5, a))) for name, a in ATTRIBUTES.items()},
}


@pytest.mark.parametrize("model", PLACES.values(), ids=PLACES.keys())
def test_external_data_of_a_model_is_refused_wherever_it_is(tmp_path: Path, model: bytes) -> None:
    with pytest.raises(ProductError, match=r"model\.onnx reads its weights from other files"):
        make(tmp_path, b"\x08\x08" + model)


@pytest.mark.parametrize("data", [b"\xff" * 40, b"\x3a\xff\xff\xff\x7f", b"\x0f", b"\x3a", b"\x38"])
def test_a_model_that_is_no_protobuf_is_left_to_the_compiler(tmp_path: Path, data: bytes) -> None:
    assert make(tmp_path, data).model_path.read_bytes() == data
