"""What the archive knows of one inspection, in words and numbers."""

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from edge.archive.search import Found
from edge.web.history.meanings import code_text
from edge.web.history.results import score_text
from edge.web.parts import VerdictBadge
from edge.web.plain_table import plain_table
from edge.web.texts import Texts, mark

MOST_REGIONS = 100
STAGES = {
    "wait": mark("wait"),
    "fit": mark("fit"),
    "infer": mark("infer"),
    "judge": mark("judge"),
    "encode": mark("encode"),
}


def head(texts: Texts, part: Found) -> None:
    """The verdict and the score, large."""
    say = texts.say
    with ui.element("div").classes("part-head"):
        VerdictBadge(texts, part.verdict)
        ui.label(score_text(texts, part)).classes("big-number")
        ui.label(say("score / threshold")).classes("muted")
        if part.score is not None:
            ui.label(distance_text(texts, part)).classes("number")
    if part.code != "none":
        ui.label(code_text(texts, part.code)).classes("state-warning")


def distance_text(texts: Texts, part: Found) -> str:
    """How far the score is from the threshold, as a part of it; nothing without a score."""
    if part.score is None or not part.threshold:
        return ""
    over = part.score / part.threshold - 1
    rate = texts.percent(abs(over))
    if over >= 0:
        return texts.say("{rate} above the threshold", rate=rate)
    return texts.say("{rate} below the threshold", rate=rate)


def facts(texts: Texts, part: Found) -> None:
    """One line for each thing that is known."""
    say, details = texts.say, part.details
    lines = {
        say("Captured"): texts.moment(part.at),
        say("Station"): part.station,
        say("Product, version"): f"{part.product} {part.version}",
        say("Part id"): part.part_id,
        say("Trigger"): _text(part.trigger_id),
        say("Encoder"): _text(part.encoder),
        say("Inspection"): _text(part.inspection_id),
        say("Region of interest"): part.roi,
        say("Passed over before it"): _text(part.passed_over or None),
        say("Camera's clock"): _text(details.get("camera_ns"), "ns"),
        say("Key in the archive"): part.key,
    }
    chunks = details.get("chunks") or {}
    lines |= {say("Camera: {name}", name=name): _text(value) for name, value in chunks.items()}
    with ui.element("dl").classes("facts number"):
        for title, text in lines.items():
            if text:
                with ui.element("dt"):
                    ui.label(title)
                with ui.element("dd"):
                    ui.label(text)


def stages(texts: Texts, part: Found) -> None:
    """How long each stage of the inspection took."""
    times: dict[str, float] = part.details.get("stages_ms") or {}
    if not times:
        return
    rows = [[_stage(texts, name), texts.number(ms, 1)] for name, ms in times.items()]
    rows.append([texts.say("together"), texts.number(sum(times.values()), 1)])
    name = texts.say("Times of the stages")
    plain_table(name, [texts.say("Stage"), "ms"], rows, numbers=1)


def _stage(texts: Texts, name: str) -> str:
    """A stage's name; as it is, where the station is of another version of this program."""
    return texts.say(STAGES[name]) if name in STAGES else name


def regions_table(texts: Texts, regions: Sequence[dict[str, Any]]) -> None:
    """The defects, numbered as in the picture; in millimetres where the station is measured."""
    say = texts.say
    if not regions:
        ui.label(say("The network marked no defect.")).classes("muted")
        return
    titles = [say("No."), say("Place x, y"), say("Size"), say("Area"), say("Heat")]
    rows = [_region(texts, region) for region in regions[:MOST_REGIONS]]
    plain_table(say("Defects"), titles, rows, numbers=4)
    if len(regions) > MOST_REGIONS:
        left = len(regions) - MOST_REGIONS
        ui.label(texts.say_count("{count} more", "{count} more", left)).classes("muted")


def _region(texts: Texts, region: dict[str, Any]) -> list[str]:
    is_measured = region["x_mm"] is not None
    place = f"{region['x']}, {region['y']} px"
    size = f"{region['width']} × {region['height']} px"  # noqa: RUF001
    area = f"{texts.number(region['area'])} px"
    if is_measured:
        x, y, width, height = (
            texts.number(region[f"{name}_mm"], 2) for name in ("x", "y", "width", "height")
        )
        place, size = f"{place} = {x}, {y} mm", f"{size} = {width} × {height} mm"  # noqa: RUF001
    if region["area_mm2"] is not None:
        area = f"{area} = {texts.number(region['area_mm2'], 2)} mm²"
    return [str(region["number"] + 1), place, size, area, texts.number(region["score"], 3)]


def _text(value: object, unit: str = "") -> str | None:
    return None if value is None else f"{value} {unit}".strip()
