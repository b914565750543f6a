"""The demo's HTML report: which parts were missed, rejected or found, with pictures."""

from pathlib import Path

import cv2
import numpy as np

from edge.base.html_page import data_uri, write_page
from edge.camera.simulated.renderer import PartRenderer
from edge.engine import runtimes
from edge.events.event import Inspection
from edge.product.product import Product, load_product
from edge.station.inspector import Inspector, Stopwatch
from edge.vision.crops import corrected_crop
from edge.vision.frame import Frame
from trainer.demo.score import Summary
from trainer.evaluation.plots import heat_colours

SHOWN = 6
WIDTH = 240
SIDES = "frame, heatmap, mask"


def write_report(
    folder: Path,
    kind: str,
    events: list[Inspection],
    truth: dict[int, str | None],
    summary: Summary,
) -> None:
    """Write report.html; the parts are rendered again from the line's seed."""
    product = load_product(folder / "products", "lid")
    line = PartRenderer(kind, summary.seed)
    with runtimes.load(product) as engine:
        inspector = Inspector(engine, product)
        groups = [
            (title, f"{text}; {SIDES}",
             [_row(e, truth[e.frame_id], line, inspector, product) for e in chosen])
            for title, text, chosen in choose(events, truth)
        ]  # fmt: skip
    template = Path(__file__).with_name("report.html")
    write_page(folder / "report.html", template, summary=summary, groups=groups, product=product)


def choose(
    events: list[Inspection], truth: dict[int, str | None]
) -> list[tuple[str, str, list[Inspection]]]:
    """Title, text and parts of each group."""
    ranked = sorted((e for e in events if e.frame_id in truth), key=_score)
    bad = [e for e in ranked if truth[e.frame_id]]
    good = [e for e in reversed(ranked) if not truth[e.frame_id]]
    missed = [e for e in bad if e.verdict == "OK"][:SHOWN]
    rejected = [e for e in good if e.verdict != "OK"][:SHOWN]
    found = {truth[e.frame_id]: e for e in reversed(bad) if e.verdict == "NG"}
    passed = [e for e in good if e.verdict == "OK"][:3]
    return [
        ("Missed", "defective parts with verdict OK, lowest score first", missed),
        ("False rejects", "good parts without verdict OK", rejected),
        (
            "Found",
            "for each kind of defect the found part with the lowest score",
            [*found.values()],
        ),
        ("Good parts", "those with the highest scores that passed", passed),
    ]


def _score(event: Inspection) -> float:
    return -1.0 if event.score is None else event.score


def _row(
    event: Inspection,
    defect: str | None,
    line: PartRenderer,
    inspector: Inspector,
    product: Product,
) -> dict[str, object]:
    """One part for groups.html: what the camera saw, heatmap and mask."""
    image = line.part(event.frame_id - 1, defective=defect is not None).image
    fitted, placement = product.fit(image)
    judged = inspector.inspect(Frame(image, event.frame_id, 0), Stopwatch())
    heatmap = judged.heatmap if judged.heatmap is not None else np.zeros(fitted.shape[:2])
    pictures = (
        corrected_crop(image, placement),
        heat_colours(heatmap),
        cv2.cvtColor(judged.judgement.mask, cv2.COLOR_GRAY2BGR),
    )
    size = (WIDTH, round(WIDTH * placement.crop[3] / placement.crop[2]))
    resized = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    text = (defect or "good").replace("_", " ")
    return {
        "name": f"part {event.frame_id}, {text}: {event.verdict} {event.code.name}",
        "score": _score(event),
        "uri": data_uri(np.hstack(resized).astype(np.uint8)),
    }
