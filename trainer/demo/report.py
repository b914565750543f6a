"""The demo's HTML report: one file that shows why parts were missed, rejected or found."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from edge.base.html_page import data_uri, write_page
from edge.camera.simulated.renderer import PartRenderer
from edge.engine import runtimes
from edge.events.event import Inspection
from edge.product.product import Product, load_product
from edge.station.inspector import Inspector, Stopwatch
from edge.vision.crops import corrected_crop
from edge.vision.frame import Box, Frame
from trainer.demo.score import Summary
from trainer.network.model import Draem
from trainer.training.batches import to_tensor
from trainer.training.save_product import load_weights

SHOWN = 6
WIDTH = 240
TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Group:
    """A heading, what it means, and the parts below it."""

    title: str
    text: str
    events: list[Inspection]


def choose(events: list[Inspection], truth: dict[int, str | None]) -> list[Group]:
    """The worst misses, the false rejects, and finds of every kind, the weakest of each."""
    bad = [e for e in events if truth.get(e.frame_id)]
    good = [e for e in events if e.frame_id in truth and not truth[e.frame_id]]
    missed = sorted((e for e in bad if e.verdict == "OK"), key=_score)
    rejects = sorted((e for e in good if e.verdict != "OK"), key=_score, reverse=True)
    finds: dict[str, Inspection] = {}
    for event in sorted((e for e in bad if e.verdict == "NG"), key=_score):
        finds.setdefault(str(truth[event.frame_id]), event)
    return [
        Group("Missed", "defective parts that were judged OK, lowest score first", missed[:SHOWN]),
        Group("False rejects", "good parts that were not judged OK", rejects[:SHOWN]),
        Group("Found", "of each kind of defect the find with the lowest score", [*finds.values()]),
        Group("Good parts", "the highest scores that passed", _highest_good(good)),
    ]


def _score(event: Inspection) -> float:
    return -1.0 if event.score is None else event.score


def _highest_good(good: list[Inspection]) -> list[Inspection]:
    passed = [e for e in good if e.verdict == "OK"]
    return sorted(passed, key=_score, reverse=True)[:3]


def write_report(
    folder: Path,
    product_name: str,
    kind: str,
    events: list[Inspection],
    truth: dict[int, str | None],
    summary: Summary,
) -> None:
    """report.html: pictures are drawn again from the line's seed, maps by the engine."""
    product = load_product(folder / "products", product_name)
    model = load_weights(product, folder / "runs")
    line = PartRenderer(kind, summary.seed)
    with runtimes.load(product) as engine:
        inspector = Inspector(engine, product)
        groups = [
            {
                "title": group.title,
                "text": group.text,
                "parts": [
                    _row(event, truth[event.frame_id], line, inspector, product, model)
                    for event in group.events
                ],
            }
            for group in choose(events, truth)
        ]
    write_page(folder / "report.html", TEMPLATE, summary=summary, groups=groups, product=product)


def _row(
    event: Inspection,
    defect: str | None,
    line: PartRenderer,
    inspector: Inspector,
    product: Product,
    model: Draem,
) -> dict[str, object]:
    """One part: what the camera saw, what the network made of it, where it looks wrong."""
    image = line.part(event.frame_id - 1, defective=defect is not None).image
    fitted, placement = product.fit(image)
    judged = inspector.inspect(Frame(image, event.frame_id, 0), Stopwatch())
    with torch.inference_mode():
        painted = model(to_tensor(fitted[None], torch.device("cpu"))).reconstruction[0]
    rebuilt = (painted.clamp(0, 1) * 255).byte().permute(1, 2, 0).contiguous().numpy()
    heat = judged.heatmap if judged.heatmap is not None else np.zeros(product.shape, np.float32)
    shades = (heat.clip(0, 1) * 255).astype(np.uint8)
    colours = np.asarray(cv2.applyColorMap(shades, cv2.COLORMAP_INFERNO), np.uint8)
    seen = corrected_crop(image, placement)
    pictures = (("picture", seen), ("reconstruction", rebuilt), ("heatmap", colours),
                ("mask", judged.judgement.mask))  # fmt: skip
    return {
        "event": event,
        "defect": defect or "good",
        "pictures": [(name, _data_uri(picture, placement.crop)) for name, picture in pictures],
    }


def _data_uri(image: NDArray[np.uint8], crop: Box) -> str:
    """A JPEG as the source of an <img>, in the proportions of the crop that it shows."""
    size = (WIDTH, round(WIDTH * crop[3] / crop[2]))
    large = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return data_uri(np.asarray(large, np.uint8))
