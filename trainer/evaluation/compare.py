"""Two versions of a product on the same images: which of them each judges otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from edge.archive.data_set import ArchivedPicture
from edge.base.console import track
from edge.base.errors import ImageError, ProductError, SettingsError
from edge.base.text import printable
from edge.events.codes import Code
from edge.events.event import Verdict
from edge.product.product import Product
from edge.vision.alignment import NotAligned
from edge.vision.image_files import read_images
from edge.vision.judge import judge, measure
from trainer.data.layout import LabelledImages
from trainer.evaluation.scored_images import Infer

Truth = Literal["good", "defective", "-"]


@dataclass(frozen=True)
class Part:
    """An image with what people say of it; `key` is that in an archive, or the path."""

    path: Path
    key: str
    truth: Truth
    label: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Judged:
    """What a version says of an image. The score is that of `judge`, None if it is not finite."""

    verdict: Verdict
    code: str
    score: float | None
    threshold: float | None


@dataclass(frozen=True)
class Mistakes:
    """Of a version: good parts without the verdict OK, and defective ones with it."""

    version: str
    false_rejects: int
    escapes: int
    without_verdict: int


@dataclass(frozen=True)
class Difference:
    """A part on which the verdicts differ: of the version, and of the one it is held against."""

    key: str
    truth: Truth
    label: str | None
    kind: str | None
    judged: Judged
    against: Judged


@dataclass(frozen=True)
class Comparison:
    """Over `parts` images: `good` and `defective` have a truth, the others count in no rate."""

    product: str
    parts: int
    good: int
    defective: int
    version: Mistakes
    against: Mistakes
    differences: list[Difference]


def of_archive(pictures: Sequence[ArchivedPicture]) -> list[Part]:
    """Parts of an archive, the truth by their newest label."""
    return [
        Part(p.path, p.part.key, _truth(p.defect, p.has_truth), p.part.label, p.part.kind)
        for p in pictures
    ]


def of_folder(found: LabelledImages) -> list[Part]:
    """The images of a folder."""
    return [
        Part(path, printable(path), _truth(kind, True), kind=kind and printable(kind))
        for path, kind in found.kinds.items()
    ]


def _truth(defect: str | None, known: bool) -> Truth:
    return "defective" if defect else "good" if known else "-"


def check_versions(product: Product, other: Product) -> None:
    """Raise an error where two versions cannot be compared."""
    if product.version == other.version:
        raise SettingsError(
            f"--against {other.version} is the version itself: name another, or choose --version"
        )
    for one in (product, other):
        if one.calibration is None:
            raise ProductError(
                f"version {one.version} is not calibrated and has no verdicts: run 'draem "
                f"calibrate --product {one.name} --version {one.version}', and name what it makes"
            )


def judge_all(
    product: Product, infer: Infer, parts: Sequence[Part], bit_depth: int | None
) -> dict[Path, Judged]:
    """Judge every image that can be read, as a line would. Raises ImageError for a wrong size."""
    judged = {}
    images = read_images(*(part.path for part in parts), bit_depth=bit_depth)
    for path, image in track(images, f"version {product.version}", total=len(parts)):
        try:
            fitted, placement = product.fit(image)
        except NotAligned:
            whole = product.calibration.whole_threshold if product.calibration else None
            code = Code.NOT_ALIGNED.name.lower()
            judged[path] = Judged("NO_VERDICT", code, None, whole)
            continue
        except ValueError as error:
            raise ImageError(f"{path}: {error}") from error
        found, window = infer(fitted[None]), product.manifest.score_window
        score, heatmap = float(found.score[0]), found.heatmap[0]
        made = judge(score, heatmap, measure(fitted), product.calibration, placement, window)
        kept = made.score if isfinite(made.score) else None
        judged[path] = Judged(made.verdict, made.code.name.lower(), kept, made.threshold)
    return judged


def comparison(
    product: Product,
    other: Product,
    parts: Sequence[Part],
    judged: Mapping[Path, Judged],
    against: Mapping[Path, Judged],
) -> Comparison:
    """Count the mistakes of both versions, and find where they differ."""
    read = [part for part in parts if part.path in judged and part.path in against]
    return Comparison(
        product=product.name,
        parts=len(read),
        good=sum(part.truth == "good" for part in read),
        defective=sum(part.truth == "defective" for part in read),
        version=_mistakes(product.version, read, judged),
        against=_mistakes(other.version, read, against),
        differences=[
            Difference(p.key, p.truth, p.label, p.kind, judged[p.path], against[p.path])
            for p in read
            if judged[p.path].verdict != against[p.path].verdict
        ],
    )


def _mistakes(version: str, parts: Sequence[Part], judged: Mapping[Path, Judged]) -> Mistakes:
    verdicts = [(part.truth, judged[part.path].verdict) for part in parts]
    return Mistakes(
        version,
        false_rejects=sum(truth == "good" and verdict != "OK" for truth, verdict in verdicts),
        escapes=sum(truth == "defective" and verdict == "OK" for truth, verdict in verdicts),
        without_verdict=sum(verdict == "NO_VERDICT" for _, verdict in verdicts),
    )


def lines(found: Comparison) -> list[str]:
    """The comparison as text."""
    unknown = found.parts - found.good - found.defective
    made = [
        f"{found.parts} parts: {found.good} good, {found.defective} defective, "
        f"{unknown} without a truth"
    ]
    for one in (found.version, found.against):
        made.append(
            f"version {one.version}: {one.false_rejects} of {found.good} good parts rejected, "
            f"{one.escapes} of {found.defective} defective parts passed, "
            f"{one.without_verdict} parts without a verdict"
        )
    made.append(f"{len(found.differences)} parts are judged differently")
    if found.differences:
        names = (f"version {one.version}" for one in (found.version, found.against))
        made.append(_row("key", "truth", "label", *names))
    return made + [
        _row(d.key, d.truth, said(d), shown(d.judged), shown(d.against)) for d in found.differences
    ]


def _row(*cells: str) -> str:
    key, truth, label, *judged = cells
    return f"{key:<14} {truth:<10} {label:<20} {judged[0]:<26} {judged[1]}".rstrip()


def said(one: Difference) -> str:
    """The label and the kind of a part in one word."""
    return ":".join(filter(None, (one.label, one.kind))) or "-"


def shown(judged: Judged) -> str:
    """A verdict with its score, or why there is none."""
    score = "no score" if judged.score is None else f"{judged.score:.4f}"
    why = f" ({judged.code})" if judged.verdict == "NO_VERDICT" else ""
    return f"{judged.verdict} {score}{why}"
