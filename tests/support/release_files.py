"""Small versions with all that a release asks for, made without training; and forged files."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.base.files import write_json
from edge.engine import runtimes
from edge.engine.plan import Plan, Record, store_plan
from edge.product.manifest import Manifest
from edge.product.product import Product
from edge.product.seal import content_digest
from edge.product.versions import finish_version, new_version
from tests.support.minimal_station import PRODUCT

MANIFEST = Manifest(
    name="lid", version="0", created="2026-01-01T00:00:00+00:00", height=64, width=64,
    interpolation="area", crop=None, network="pixels", backbone=None,
    rec_width=8, seg_width=4, score_window=3, origin={}, files={},
)  # fmt: skip


def make(
    products: Path,
    model: bytes = b"model",
    *,
    calibrated: bool = True,
    more: Mapping[str, bytes] | None = None,
) -> Product:
    """A version; its networks are none. `more` files may be added."""
    with new_version(products, "lid") as draft:
        (draft / "model.onnx").write_bytes(model)
        (draft / "golden.npz").write_bytes(b"golden")
        (draft / "sources.json").write_text("{}")
        for name, data in (more or {}).items():
            (draft / name).write_bytes(data)
        if calibrated:
            assert PRODUCT.calibration is not None
            write_json(draft / "calibration.json", PRODUCT.calibration.model_dump())
            (draft / "calibration").mkdir()
            (draft / "calibration" / "000.png").write_bytes(b"frame")
        return finish_version(draft, MANIFEST)


def build(product: Product, data: bytes = b"plan") -> None:
    """A plan that says it was proven here."""
    key = runtimes.plan_key(product, "openvino")
    record = Record(
        key=key, batches=[1], plan=hashlib.sha256(data).hexdigest(), proven=True, proof={},
        created="",
    )  # fmt: skip
    store_plan(product, Plan(record, data))


Files = dict[str, bytes]


def files_of(path: Path) -> Files:
    """The members of a release's file, in order."""
    with tarfile.open(path) as tar:
        return {m.name: opened.read() for m in tar if (opened := tar.extractfile(m))}


def packed(files: Files, **fields: Any) -> bytes:
    """A file as a forger makes it: the trailing digest is right. `fields` are every header's."""
    tar = io.BytesIO()
    for name, data in files.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o444
        for field, value in fields.get(name, {}).items():
            setattr(info, field, value)
        tar.write(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512))
    tar.write(bytes(1024))
    return closed(tar.getvalue())


def closed(tar: bytes) -> bytes:
    """With its digest behind it."""
    return tar + f"{hashlib.sha256(tar).hexdigest()}\n".encode()


def with_manifest(given: Files, **fields: object) -> Files:
    """With other fields in the manifest, and a seal that fits them."""
    manifest = json.loads(given["manifest.json"]) | fields
    seal = json.loads(given["seal.json"]) | {"content": content_digest(manifest)}
    return given | {
        "manifest.json": json.dumps(manifest).encode(),
        "seal.json": json.dumps(seal).encode(),
    }
