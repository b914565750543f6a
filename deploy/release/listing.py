"""What people see of a product's releases: a table, one version, the difference of two."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.base.errors import EngineError, ProductError
from edge.engine.runtimes import Flavour, proven_plan
from edge.product.product import MANIFEST, Product, content_of, read_manifest, versions
from edge.product.versions import current_version

MAX_VALUE = 60
COLUMNS = "{} {:<8}{:<27}{:<12}{:<27}{:<18}{}"


def table(folder: Path, flavour: Flavour | None) -> Iterator[str]:
    """All versions, oldest first, by their manifests and seals; a star marks the current one."""
    current = current_version(folder)
    yield COLUMNS.format(" ", "version", "created", "calibrated", "sealed", "signed", "engine")
    for version in map(str, versions(folder.parent, folder.name)):
        mark = "*" if version == current else " "
        try:
            manifest, seal = read_manifest(folder / version)
        except ProductError as error:
            yield f"{mark} {version:<8}{error}"
            continue
        product = Product(folder / version, manifest, None, seal)
        yield COLUMNS.format(
            *(mark, version, printable(manifest.created)),
            _yes("calibration.json" in manifest.files),
            *((seal.sealed, (seal.key or "-")[:16]) if seal else ("-", "-")),
            _yes(has_engine(product, flavour)),
        )


def printable(text: str) -> str:
    """A text that came with a release, without control characters for the terminal."""
    return text if text.isprintable() else ascii(text)


def has_engine(product: Product, flavour: Flavour | None) -> bool:
    """Whether this device has a verified engine of the product."""
    try:
        proven_plan(product, flavour)
    except EngineError:
        return False
    return True


def _yes(value: bool) -> str:
    return "yes" if value else "-"


def described(product: Product, flavour: Flavour | None) -> Iterator[tuple[str, str]]:
    """One version whose files were all checked, as names and values."""
    manifest, seal, calibration = product.manifest, product.seal, product.calibration
    size = sum((product.path / name).stat().st_size for name in manifest.files)
    yield "product", f"{product.name} version {product.version}"
    yield "created", printable(manifest.created)
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
        count = len(calibration.scores)
        yield "calibrated", f"{printable(calibration.created)}, {count} good frames"
        yield "threshold", f"{calibration.threshold:.4f}"
    yield "engine", _yes(has_engine(product, flavour))


def difference(one: Product, other: Product) -> Iterator[str]:
    """What differs: fields of manifest and calibration, then files; nothing if they are equal."""
    for name, (before, after) in _changed(_fields(one), _fields(other)):
        yield f"{name}: {_short(before)} -> {_short(after)}"
    groups: dict[tuple[str, str], list[str]] = {}
    for name, (before, after) in _changed(one.manifest.files, other.manifest.files):
        change = "added" if before is None else "removed" if after is None else "changed"
        groups.setdefault((name.rpartition("/")[0] or name, change), []).append(name)
    for (folder, change), names in groups.items():
        single = len(names) == 1
        yield f"{names[0]}: {change}" if single else f"{folder}/: {len(names)} files {change}"


def _fields(product: Product) -> dict[str, object]:
    fields = json.loads((product.path / MANIFEST).read_text(encoding="utf-8"))
    del fields["files"], fields["version"]
    fields["calibration"] = None
    if product.calibration is not None:
        text = (product.path / "calibration.json").read_text(encoding="utf-8")
        fields["calibration"] = json.loads(text)
    return dict(_flat(fields, ""))


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
    if isinstance(value, list | dict) and len(text) > MAX_VALUE:
        return f"{len(value)} values"
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}..."
