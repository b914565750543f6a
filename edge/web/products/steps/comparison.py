"""What releasing the newest threshold would change, against the version that lines run now."""

from datetime import UTC, datetime, timedelta

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.archive.query import Query
from edge.base.errors import DraemError
from edge.vision.calibration import Calibration
from edge.web.plain_table import plain_table
from edge.web.products.context import Context, heading
from edge.web.products.versions import Version
from edge.web.review.threshold import Labelled, read_labelled
from edge.web.texts import Texts

MODEL = "model.onnx"
LABELLED_FOR = timedelta(days=30)
Row = list[str]


async def compare(context: Context, version: Version) -> None:
    """Both versions side by side, and the way to the release; nothing where there is one."""
    current, say = context.bench.current, context.viewer.texts.say
    if current is None or current.number == version.number or version.calibration is None:
        return
    with ui.element("section").classes("card"):
        heading(say("Version {number} is not released", number=version.number))
        ui.label(say("Lines run version {number} until then.", number=current.number))
        if current.calibration is not None:
            await _table(context, current, version, current.calibration, version.calibration)
        address = f"/products/{context.name}?step=release"
        ui.link(say("Go on: {step}", step=say("Release and start")), address).classes("next")


async def _table(
    context: Context, current: Version, version: Version, old: Calibration, new: Calibration
) -> None:
    texts, say = context.viewer.texts, context.viewer.texts.say
    rows = [_thresholds(texts, old, new), _expected(texts, old, new)]
    about, more = "", 0
    if _is_comparable(current, version):
        try:
            query = Query(
                product=context.name,
                version=current.number,
                since=datetime.now(UTC) - LABELLED_FOR,
            )
            found = await run_in_threadpool(read_labelled, context.site.archive, query)
            factor = new.threshold / old.threshold
            rows += labelled_rows(texts, found, factor)
            more = found.outcome(factor).escapes - found.outcome(1.0).escapes
            about = _about(texts, found)
        except DraemError as error:
            about = str(error)
    name = say("What a release would change")
    titles = [
        say("What"),
        *(say("Version {number}", number=one.number) for one in (current, version)),
    ]
    plain_table(name, titles, rows, numbers=2)
    ui.label(about).classes("muted").set_visibility(bool(about))
    if more > 0:
        text = texts.say_count(
            "{count} labelled defect that is found now would pass.",
            "{count} labelled defects that are found now would pass.",
            more,
        )
        ui.label(text).classes("state-warning")


def _is_comparable(current: Version, version: Version) -> bool:
    """Whether both have the same network, so that a part has the same score in both."""
    regions = any(one.calibration and one.calibration.roi_thresholds for one in (current, version))
    return _what_scores(current) == _what_scores(version) and not regions


def _what_scores(version: Version) -> dict[str, object]:
    """The network, and what it is shown of a frame."""
    made = version.manifest
    if made is None:
        return {}
    about = made.model_dump(exclude={"files", "version", "created", "origin"})
    return {**about, "model": made.files.get(MODEL)}


def _thresholds(texts: Texts, old: Calibration, new: Calibration) -> Row:
    return [texts.say("Threshold"), *(texts.number(one.threshold, 4) for one in (old, new))]


def _expected(texts: Texts, old: Calibration, new: Calibration) -> Row:
    name = texts.say("False rejects expected")
    return [name, *(texts.percent(one.expected_rate, 2) for one in (old, new))]


def labelled_rows(texts: Texts, found: Labelled, factor: float) -> list[Row]:
    """Labelled parts that the present threshold judges wrongly, and `factor` times it."""
    say, outcomes = texts.say, [found.outcome(1.0), found.outcome(factor)]

    def of(count: int, total: int) -> str:
        return say("{done} of {total}", done=texts.number(count), total=texts.number(total))

    return [
        [say("Labelled good parts rejected"), *(of(o.false_rejects, found.good) for o in outcomes)],
        [say("Labelled defects missed"), *(of(o.escapes, found.defective) for o in outcomes)],
    ]


def _about(texts: Texts, found: Labelled) -> str:
    if not found.parts:
        return texts.say("No part of the last 30 days has a label: review some to count them here.")
    return texts.say(
        "Labelled parts of the last 30 days, most of them reviewed because they were rejected or "
        "near the threshold: they are no rates of the line."
    )
