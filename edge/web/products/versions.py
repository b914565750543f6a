"""What a product's folder says of its versions; their files are not read completely."""

import json
from dataclasses import dataclass
from pathlib import Path

from edge.base.errors import ProductError
from edge.base.validation import load_json, read_bytes
from edge.product.manifest import Manifest, read_manifest, read_model
from edge.product.product import versions
from edge.product.seal import Seal
from edge.product.versions import current_version
from edge.vision.calibration import Calibration


@dataclass(frozen=True)
class EngineFacts:
    """A record in engines/: which runtime, precision and device, and how well it was proven."""

    flavour: str
    precision: str
    device: str
    proven: bool
    proof: dict[str, float]


@dataclass(frozen=True)
class Version:
    """One version; `trouble` says why the rest is not known."""

    number: str
    path: Path
    is_current: bool
    manifest: Manifest | None = None
    seal: Seal | None = None
    calibration: Calibration | None = None
    engines: tuple[EngineFacts, ...] = ()
    trouble: str = ""

    @property
    def is_built(self) -> bool:
        """Whether a proven engine is here; the commands check that it is of this device."""
        return any(engine.proven for engine in self.engines)


def read_versions(products: Path, name: str) -> list[Version]:
    """All versions, newest first."""
    folder = products / name
    current = current_version(folder)
    return [
        _version(folder / str(number), str(number) == current)
        for number in reversed(versions(products, name))
    ]


def _version(path: Path, is_current: bool) -> Version:
    try:
        manifest, seal = read_manifest(path)
        calibration = None
        if "calibration.json" in manifest.files:
            calibration = read_model(path / "calibration.json", Calibration)
    except ProductError as error:
        return Version(path.name, path, is_current, trouble=str(error))
    engines = tuple(_engines(path / "engines"))
    return Version(path.name, path, is_current, manifest, seal, calibration, engines)


def _engines(folder: Path) -> list[EngineFacts]:
    """The records by their JSON, since only commands may load what belongs to an engine."""
    found: list[EngineFacts] = []
    for path in sorted(folder.glob("*.json")):
        try:
            record = load_json(read_bytes(path))
            if not isinstance(record, dict):
                continue
            key, proof = record["key"], record["proof"]
            facts = EngineFacts(
                key["flavour"],
                key["precision"],
                key["device"],
                bool(record["proven"]),
                dict(proof),
            )
            found.append(facts)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # of another program version, which builds it again
    return found


def expected_found(version: Version) -> float | None:
    """Which share of simulated anomalies the training expected to be found."""
    value = version.manifest.origin.get("expected_found") if version.manifest else None
    return float(value) if isinstance(value, int | float) else None


def validations(version: Version) -> list[tuple[int, float, float]]:
    """Step, image AUROC and pixel AP of each validation of the training behind a version."""
    try:
        text = (version.path / "training.json").read_text(encoding="utf-8")
        return [(p["step"], p["image_auroc"], p["pixel_ap"]) for p in json.loads(text)["curve"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
