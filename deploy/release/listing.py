"""What there is to see of a product's releases: a table, one version, the difference of two."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from edge.base.errors import EngineError, ProductError
from edge.base.text import on_one_line
from edge.base.validation import load_json, read_bytes
from edge.engine.runtimes import Flavour, proven_plan
from edge.product.manifest import MANIFEST, content_of, raw_manifest, read_manifest
from edge.product.product import Product, versions
from edge.product.seal import Seal
from edge.product.versions import current_version

LONG = 60


class ListingRow(NamedTuple):
    """One version in the list; `trouble` says why the rest is not known."""

    version: str
    current: bool
    created: str = ""
    calibrated: bool = False
    seal: Seal | None = None
    engine: bool = False
    trouble: str = ""


def rows(folder: Path, flavour: Flavour | None) -> Iterator[ListingRow]:
    """All versions, oldest first, by their manifests and seals; files are not read."""
    current = current_version(folder)
    for version in map(str, versions(folder.parent, folder.name)):
        path = folder / version
        try:
            manifest, seal = read_manifest(path)
        except ProductError as error:
            yield ListingRow(version, version == current, trouble=str(error))
            continue
        engine = has_engine(Product(path, manifest, None, seal), flavour)
        calibrated = "calibration.json" in manifest.files
        created = on_one_line(manifest.created)
        yield ListingRow(version, version == current, created, calibrated, seal, engine)


def has_engine(product: Product, flavour: Flavour | None) -> bool:
    """Whether a proven engine of this device is here."""
    try:
        proven_plan(product, flavour)
    except EngineError:
        return False
    return True


def table(found: list[ListingRow]) -> str:
    """The list as text; a star marks what runs."""
    lines = [f"  {'version':<8}{'created':<27}{'calibrated':<12}{'sealed':<27}{'signed':<18}engine"]
    for row in found:
        start = f"{'*' if row.current else ' '} {row.version:<8}"
        if row.trouble:
            lines.append(f"{start}{row.trouble}")
            continue
        sealed = row.seal.sealed if row.seal else "-"
        signed = (row.seal.key or "-")[:16] if row.seal else "-"
        lines.append(
            f"{start}{row.created:<27}{_yes(row.calibrated):<12}{sealed:<27}{signed:<18}"
            f"{_yes(row.engine)}"
        )
    return "\n".join(lines)


def _yes(value: bool) -> str:
    return "yes" if value else "-"


def described(product: Product, flavour: Flavour | None) -> Iterator[tuple[str, str]]:
    """One version whose files were all checked, as names and values."""
    manifest, seal, calibration = product.manifest, product.seal, product.calibration
    size = sum((product.path / name).stat().st_size for name in manifest.files)
    yield "product", f"{product.name} version {product.version}"
    yield "created", on_one_line(manifest.created)
    yield "current", _yes(current_version(product.path.parent) == product.version)
    yield "input", f"{manifest.height}x{manifest.width}, {manifest.interpolation}"
    yield "crop", str(manifest.crop or "-")
    yield "files", f"{len(manifest.files)}, {size / 1e6:.1f} MB, each with its SHA-256"
    yield "content", content_of(product.path)
    yield "sealed", seal.sealed if seal else "-"
    yield "signed with", (seal.key if seal else None) or "-"
    if calibration is None:
        yield "calibrated", "-"
    else:
        yield (
            "calibrated",
            f"{on_one_line(calibration.created)}, {len(calibration.scores)} good frames",
        )
        if calibration.whole_threshold is not None:
            yield "threshold", f"{calibration.threshold:.4f}"
        for name, threshold in calibration.roi_thresholds.items():
            yield f"threshold of {name}", f"{threshold:.4f}"
    yield "engine", _yes(has_engine(product, flavour))


def difference(one: Product, other: Product) -> Iterator[str]:
    """What differs: fields of manifest and calibration, then files; nothing for the same."""
    for name, (before, after) in _changed(_fields(one), _fields(other)):
        yield f"{name}: {_short(before)} -> {_short(after)}"
    kept: dict[tuple[str, str], list[str]] = {}
    for name, (before, after) in _changed(one.manifest.files, other.manifest.files):
        what = "added" if before is None else "removed" if after is None else "changed"
        kept.setdefault((name.rpartition("/")[0] or name, what), []).append(name)
    for (folder, what), names in kept.items():
        yield f"{names[0]}: {what}" if len(names) == 1 else f"{folder}/: {len(names)} files {what}"


def _fields(product: Product) -> dict[str, object]:
    manifest = raw_manifest(read_bytes(product.path / MANIFEST))
    del manifest["files"], manifest["version"]
    calibration: object = None
    if product.calibration is not None:
        calibration = load_json(read_bytes(product.path / "calibration.json"))
    return dict(_flat(manifest, "")) | dict(_flat(calibration, "calibration"))


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Nested JSON as dotted names; lists stay whole, and so do the scores of frames."""
    if isinstance(value, dict) and value and name != "calibration.frames":
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _changed(
    one: Mapping[str, object], other: Mapping[str, object]
) -> Iterator[tuple[str, tuple[object, object]]]:
    for name in sorted({**one, **other}):
        if one.get(name) != other.get(name):
            yield name, (one.get(name), other.get(name))


def _short(value: object) -> str:
    if value is None:
        return "-"
    text = json.dumps(value)
    if isinstance(value, list | dict) and len(text) > LONG:
        return f"{len(value)} values"
    return text if len(text) <= LONG else f"{text[:LONG]}..."
