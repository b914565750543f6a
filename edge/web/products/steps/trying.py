"""Try: pictures of good and bad parts, judged by the newest calibrated version, with heatmaps."""

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.base.errors import ImageError
from edge.web.accounts.roles import Role
from edge.web.attributes import attributes
from edge.web.jobs.job import OUTPUT, Job, State
from edge.web.parts import VerdictBadge
from edge.web.products.context import Context, heading
from edge.web.products.intake import Intake
from edge.web.products.uploader import PICTURES, FileField
from edge.web.products.uploads import waiting_folder

KEPT_TRIES = 5
TAKEN_AT_ONCE = 20


@dataclass(frozen=True)
class Tried:
    """What `draem inspect` said of a picture, and the file of its overlay."""

    name: str
    verdict: str
    code: str
    score: float | None
    threshold: float | None
    overlay: str


async def try_step(context: Context) -> None:
    """Pictures that wait, the job, and its results."""
    say, version = context.viewer.texts.say, context.bench.calibrated
    if version is None:
        ui.label(say("First calibrate a version.")).classes("state-warning")
        return
    if context.may_change:
        _waiting(context, version.number)
    job = context.panel("inspect")
    if job is not None and job.state in (State.DONE, State.FAILED):
        tried: list[Tried] = await run_in_threadpool(results, job)
        _results(context, job, tried)


def _waiting(context: Context, version: str) -> None:
    texts, say = context.viewer.texts, context.viewer.texts.say
    folder = waiting_folder(context.site, context.name)
    with ui.element("section").classes("card"):
        ui.label(say("Parts with real defects show what this product finds."))
        address = f"/products/{context.name}/try"
        FileField(context.viewer, say("Pictures to try"), address, PICTURES, update)
        with ui.element("div").classes("row-wrap"):
            words = ui.input(
                say("Question to the archive"), value=f"product={context.name} verdict=NG"
            ).classes("wide-field")

            async def take() -> None:
                asked = str(words.value)

                def work() -> list[str]:
                    intake = Intake(folder)
                    intake.take_archived(context.site.archive, asked, TAKEN_AT_ONCE)
                    return intake.taken.reasons

                reasons = await context.viewer.change(
                    Role.ENGINEER, "take pictures to try", context.name, work, new=asked
                )
                if reasons:
                    raise ImageError(reasons[0])

            context.button(say("Take"), take, icon="inventory_2")

        async def judge() -> None:
            token = secrets.token_hex(6)
            place = context.drafts.tries / token
            spec = context.commands.inspect(place / "pictures", place / "maps", version)

            def prepare() -> None:
                if not folder.names():
                    raise ImageError("no picture waits: upload some first")
                _remove_old(context.drafts.tries)
                place.mkdir(parents=True)
                folder.hand_over(place / "pictures")

            await context.submit(spec, prepare=prepare)

        async def clear() -> None:
            await context.viewer.change(
                Role.ENGINEER, "clear pictures to try", context.name, folder.clear
            )

        with ui.element("div").classes("row-wrap"):
            button = context.button(say("Judge"), judge, icon="search", main=True)
            clear_button = context.button(say("Clear"), clear, icon="delete")

    async def show_count() -> None:
        count = len(await run_in_threadpool(folder.names))
        text = texts.say_count("Judge {count} picture", "Judge {count} pictures", count)
        button.text = text
        button.set_enabled(count > 0 and not context.bench.is_doing("inspect"))
        clear_button.set_enabled(count > 0)

    context.on_turn.append(show_count)


async def update() -> None:
    """The next turn of the page counts them."""


def _remove_old(tries: Path) -> None:
    """Keep the newest tries; their pictures were copies."""
    folders = [p for p in tries.iterdir() if p.name != "waiting"] if tries.is_dir() else []
    for old in sorted(folders, key=lambda p: p.stat().st_mtime)[: 1 - KEPT_TRIES]:
        shutil.rmtree(old, ignore_errors=True)


def results(job: Job) -> list[Tried]:
    """From the JSON lines that the command has printed."""
    found: list[Tried] = []
    try:
        lines = (job.folder / OUTPUT).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            row = json.loads(line) if line.startswith("{") else None
        except ValueError:
            continue
        if not isinstance(row, dict) or "verdict" not in row:
            continue
        path = Path(str(row["path"]))
        overlay = f"{len(found) + 1:04d}_{path.stem}_overlay.png"
        values = (row["verdict"], row["code"], row["score"], row["threshold"])
        found.append(Tried(path.name, *values, overlay))
    return found


def _results(context: Context, job: Job, tried: list[Tried]) -> None:
    texts, say = context.viewer.texts, context.viewer.texts.say
    with ui.element("section").classes("card"):
        heading(say("What it found"))
        bad = sum(one.verdict == "NG" for one in tried)
        values = {"bad": texts.number(bad), "all": texts.number(len(tried))}
        ui.label(say("{bad} of {all} are NG", **values))
        with ui.element("div").classes("tiles"):
            for one in tried:
                with ui.element("div").classes("tile"):
                    if one.score is not None:
                        address = f"/products/{context.name}/tries/{job.id}/{one.overlay}"
                        image = ui.element("img").props('loading=lazy alt=""')
                        attributes(image, src=address)
                    VerdictBadge(texts, one.verdict)
                    if one.score is not None and one.threshold is not None:
                        score = texts.number(one.score, 4)
                        limit = texts.number(one.threshold, 4)
                        text = say("score {score}, threshold {limit}", score=score, limit=limit)
                        ui.label(text).classes("number")
                    if one.verdict == "NO_VERDICT":
                        ui.label(one.code)
                    ui.label(one.name).classes("tile-name")
