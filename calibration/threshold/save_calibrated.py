"""Writes a calibration as a new version of its product."""

import os
import shutil
from pathlib import Path

from calibration.threshold.calibrate import Made
from calibration.threshold.held_out import listed
from calibration.threshold.report import write_report
from calibration.threshold.scored_frames import ScoredFrames
from edge.base.errors import ProductError
from edge.base.files import write_json
from edge.base.person import Person
from edge.engine.plan import Key
from edge.product.change_journal import described, record_change
from edge.product.product import Product
from edge.product.sources import SEEN, sources
from edge.product.versions import activate_unless_released, finish_version, new_version
from edge.vision.drift_features import REFERENCE
from edge.vision.image_files import write_png

MADE = ("calibration.json", "calibration.html", "calibration", REFERENCE, "sources.json")
"""What a calibration writes afresh; everything else of the version before it is linked."""


def save_calibrated(
    product: Product,
    made: Made,
    good: ScoredFrames,
    bad: ScoredFrames | None,
    key: Key,
    by: Person | None = None,
) -> Product:
    """A new version: the old one's files by hard link, the calibration beside them.

    Of the engines it takes the one with `key`, that the thresholds were found through; another has
    to be built again, and to show that it gives the same scores. `by` calibrates it, for the audit
    trail.
    """
    rows = [s for s in sources(product) if s["split"] in SEEN]
    rows += listed(good.paths, "calibration") + (listed(bad.paths, "bad") if bad else [])
    with new_version(product.path.parent.parent, product.name) as draft:
        old = [Path(name) for name in product.manifest.files if Path(name).parts[0] not in MADE]
        plans = [p.relative_to(product.path) for p in product.engines.glob(f"{key.name}[-.]*")]
        for path in (*old, *plans):
            (draft / path).parent.mkdir(exist_ok=True)
            _link(product.path / path, draft / path)
        write_json(draft / "calibration.json", made.calibration.model_dump())
        write_json(draft / "sources.json", {"images": rows})
        write_png(draft / REFERENCE, made.reference)
        (draft / "calibration").mkdir()
        for name, frame in zip(made.calibration.frames, good.fitted, strict=False):
            write_png(draft / "calibration" / name, frame)
        write_report(draft / "calibration.html", product, made, good, bad)
        new = finish_version(draft, product.manifest)
    target = f"{new.name} version {new.version}"
    record_change(new.path.parent, by, "calibrate", target, described(product), described(new))
    try:
        activate_unless_released(new, by)
    except ProductError as error:
        raise ProductError(f"version {new.version} is made, but not current: {error}") from error
    return new


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the disk knows none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
