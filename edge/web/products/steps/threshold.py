"""Threshold: which share of good parts would be rejected at which threshold, and another choice."""

import math
from datetime import datetime
from typing import Any

from nicegui import ui

from edge.base.errors import SettingsError
from edge.vision.calibration import Calibration
from edge.web.attributes import attributes
from edge.web.products.context import Context, heading
from edge.web.products.files import PLAIN
from edge.web.products.steps.comparison import compare
from edge.web.products.versions import Version
from edge.web.texts import Texts

DEFAULT_PERCENT = 0.5
NEAREST = 12


async def threshold_step(context: Context) -> None:
    """The form, the job, and the newest calibration."""
    bench = context.bench
    _form(context)
    context.panel("calibrate")
    version = bench.calibrated
    if version is not None and version.calibration is not None:
        await compare(context, version)
        _facts(context, version, version.calibration)
        _nearest(context, version, version.calibration)


def _form(context: Context) -> None:
    say, bench = context.viewer.texts.say, context.bench
    query = context.query.get("query", "").removeprefix("archive:")
    before = bench.calibrated.calibration if bench.calibrated else None
    percent = 100 * before.false_reject_rate if before else DEFAULT_PERCENT
    with ui.element("section").classes("card"):
        ui.label(
            say(
                "The threshold is set from good parts that training did not see. A lower rate of "
                "false rejects means a higher threshold, which finds fewer defects."
            )
        )
        with ui.element("div").classes("row-wrap"):
            rate = ui.number(
                say("Good parts that may be rejected (percent)"),
                value=round(percent, 4), min=0.01, max=50, step=0.1,
            ).classes("label-field")  # fmt: skip
            words = ui.input(
                say("Good parts of the archive (empty: those set aside)"), value=query
            ).classes("wide-field")
            words.props["hint"] = say("as label=false-reject since=30d, labelled in Review")

            async def calibrate() -> None:
                if not rate.value:
                    raise SettingsError("no rate given: write percent above 0")
                share, asked = float(rate.value) / 100, str(words.value or "").strip()
                geometry = context.drafts.geometry if bench.draft.regions else None
                spec = context.commands.calibrate(share, asked, geometry)
                await context.submit(spec)

            text = say("Calibrate again") if before else say("Calibrate")
            button = context.button(text, calibrate, icon="tune", main=True)
            is_built = bench.newest is not None and bench.newest.is_built
            is_busy = bench.is_doing("calibrate", "build", "train")
            button.set_enabled(context.may_change and is_built and not is_busy)
        if bench.newest is not None and not is_built:
            ui.label(say("First build the engine.")).classes("state-warning")


def _facts(context: Context, version: Version, made: Calibration) -> None:
    texts, say = context.viewer.texts, context.viewer.texts.say
    with ui.element("section").classes("card"):
        heading(say("Version {number} is calibrated", number=version.number))
        with ui.element("dl").classes("facts"):
            if made.whole_threshold is not None:
                fact(say("threshold"), texts.number(made.threshold, 4))
            for name, value in made.roi_thresholds.items():
                fact(say("threshold of {name}", name=name), texts.number(value, 4))
            fact(say("good parts"), texts.number(len(made.scores)))
            fact(say("false rejects wanted"), texts.percent(made.false_reject_rate, 2))
            fact(say("false rejects expected"), texts.percent(made.expected_rate, 2))
            if made.confidence is not None:
                confidence = texts.percent(made.confidence, 0)
                name = say("false rejects at most, with {confidence} confidence",
                           confidence=confidence)  # fmt: skip
                fact(name, texts.percent(made.rate_bound, 2))
            if made.escapes is not None:
                missed = say("{missed} of {bad}", missed=made.escapes.missed, bad=made.escapes.bad)
                fact(say("bad parts missed"), missed)
        if (made.expected_rate or 0) > made.false_reject_rate + 1e-9:
            text = say(
                "These are too few good parts for the rate: calibrate with {count} or more.",
                count=texts.number(parts_needed(made)),
            )
            ui.label(text).classes("state-warning")
        if made.scores:
            ui.echart(curve_options(texts, made), renderer="svg").classes("chart job-curve")
        address = f"/products/{context.name}/versions/{version.number}/report"
        ui.link(say("Report of the calibration"), address, new_tab=True).classes("action-link")


def parts_needed(made: Calibration) -> int:
    """How many good parts make the wanted rate the expected one, which is 1 / (parts + 1)."""
    rate = max(made.false_reject_rate, 1e-6) / max(1, len(made.roi_thresholds))
    return math.ceil(1 / rate - 1e-9) - 1


def fact(name: str, value: str) -> None:
    """A line of a list of facts."""
    with ui.element("dt"):
        ui.label(name)
    with ui.element("dd").classes("number"):
        ui.label(value)


def when(texts: Texts, written: str) -> str:
    """A time of a manifest for people; as it was written, where it is none."""
    try:
        return texts.moment(datetime.fromisoformat(written), seconds=False)
    except ValueError:
        return written


def curve_options(texts: Texts, made: Calibration) -> dict[str, Any]:
    """The share of these good parts at or above each threshold; the threshold as a line.

    With regions of interest a score is the share of the threshold, which is 1.
    """
    count, scores = len(made.scores), made.scores
    limit = 1.0 if made.roi_thresholds else made.threshold
    points = [[score, round(100 * (count - i) / count, 3)] for i, score in enumerate(scores)]
    points += [[max(scores[-1], limit) * 1.05, 0]]
    name = texts.say("good parts rejected (percent)")
    return {
        "animation": False,
        "grid": {"left": 52, "right": 16, "top": 36, "bottom": 40},
        "xAxis": {"type": "value", "name": texts.say("threshold"), "nameLocation": "middle",
                  "nameGap": 24, "scale": True},
        "yAxis": {"type": "value", "name": name, "nameTextStyle": {"align": "left"}},
        "tooltip": {"trigger": "axis"},
        "series": [{
            "type": "line", "step": "start", "symbol": "none", "data": points, "name": name,
            "areaStyle": {"opacity": 0.15},
            # The library rounds a mark to two decimals unless told otherwise.
            "markLine": {"symbol": "none", "precision": 6, "data": [{"xAxis": limit}],
                         "label": {"formatter": texts.say("threshold")}},
        }],
    }  # fmt: skip


def _nearest(context: Context, version: Version, made: Calibration) -> None:
    """The good parts with the highest scores, as the engine saw them."""
    texts, say = context.viewer.texts, context.viewer.texts.say
    # The names came with the version, perhaps from another station.
    frames = [(name, score) for name, score in made.frames.items() if PLAIN.fullmatch(name)]
    ranking = sorted(frames, key=lambda item: -item[1])[:NEAREST]
    if not ranking:
        return
    with ui.element("section").classes("card"):
        heading(say("The good parts with the highest scores"))
        text = say("Is one of them defective? Then throw it out and train again.")
        ui.label(text).classes("muted")
        with ui.element("div").classes("tiles"):
            for name, score in ranking:
                base = f"/products/{context.name}/versions/{version.number}/calibration/{name}"
                with ui.element("div").classes("tile"):
                    label = say("score {score}", score=texts.number(score, 4))
                    attributes(ui.element("img").props("loading=lazy"), src=base, alt=label)
                    ui.label(label).classes("number")
