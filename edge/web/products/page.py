"""/products/NAME: the steps on one side, the chosen one on the other; both follow the jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams

from edge.base.errors import DraemError, ProductError
from edge.web.attributes import attributes
from edge.web.products.bench import STEPS, Bench, StepKind, next_step, read_bench, signature
from edge.web.products.context import Context
from edge.web.products.overview import product_names
from edge.web.products.steps.build import build_step
from edge.web.products.steps.look import look_step
from edge.web.products.steps.pictures import pictures_step
from edge.web.products.steps.release import release_step
from edge.web.products.steps.threshold import threshold_step
from edge.web.products.steps.train import train_step
from edge.web.products.steps.trying import try_step
from edge.web.products.steps.view import view_step
from edge.web.shell import show_error
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

TURN_S = 1.0
SCROLL = (
    "document.querySelector('.step[aria-current=step]')"
    "?.scrollIntoView({inline: 'center', block: 'nearest'})"
)
DRAW: dict[str, Callable[[Context], Awaitable[None]]] = {
    "pictures": pictures_step,
    "look": look_step,
    "view": view_step,
    "train": train_step,
    "build": build_step,
    "threshold": threshold_step,
    "try": try_step,
    "release": release_step,
}
GO_ON = ("train", "build", "threshold", "try")
KINDS: dict[StepKind, tuple[str, str]] = {
    "done": (mark("done"), "check_circle"),
    "now": (mark("can be done now"), "radio_button_unchecked"),
    "optional": (mark("can be left out"), "more_horiz"),
    "needs": (mark("not yet"), "lock"),
    "running": (mark("running"), "autorenew"),
}


class ProductPage:
    """A product's page in one browser."""

    def __init__(self, site: Site, viewer: Viewer, name: str, query: QueryParams) -> None:
        self._site, self._viewer, self._name, self._query = site, viewer, name, query
        self._signature: object = None
        self._context: Context | None = None
        self._key = query.get("step", "")
        self._drawing = asyncio.Lock()
        self._kept: dict[str, Any] = {}

    async def show(self) -> None:
        """Build the page. Raises DraemError for a product that there is not."""
        if self._name not in await run_in_threadpool(product_names, self._site):
            raise ProductError(f"there is no product {self._name[:100]}: choose another one")
        ui.page_title(f"{self._name} - draem")
        with ui.element("div").classes("row-wrap"):
            with ui.element("h2").classes("product-name"):
                ui.label(self._name)
            ui.link(self._viewer.texts.say("All products"), "/products").classes("action-link")
        with ui.element("div").classes("product"):
            self._steps = ui.element("nav").classes("steps")
            attributes(self._steps, aria_label=self._viewer.texts.say("Steps"))
            self._content = ui.element("div").classes("product-content")
        await self._redraw()
        ui.run_javascript(SCROLL)  # on a phone the steps are a row that is longer than the screen
        ui.timer(TURN_S, self._turn)

    async def _redraw(self) -> None:
        """Read everything again and draw it, in turn: two at once would both fill the page."""
        async with self._drawing:
            await self._draw()

    async def _draw(self) -> None:
        bench: Bench = await run_in_threadpool(read_bench, self._site, self._name)
        self._signature = tuple((job.id, job.state) for job in bench.jobs)
        self._key = self._key if self._key in DRAW else next_step(bench)
        self._context = context = Context(
            self._site, self._viewer, bench, self._query, self._redraw, self._redraw_steps,
            self._kept,
        )  # fmt: skip
        self._draw_steps(bench)
        self._content.clear()
        with self._content:
            try:
                await DRAW[self._key](context)
                self._go_on(bench)
            except DraemError as error:
                show_error(str(error))
        await self._update(context)

    def _go_on(self, bench: Bench) -> None:
        """Below a step that has no button of its own for it: the way to the next one."""
        keys = [step.key for step in STEPS]
        at = keys.index(self._key)
        if self._key not in GO_ON or STEPS[at].judge(bench)[0] not in ("done", "optional"):
            return
        say, following = self._viewer.texts.say, STEPS[at + 1]
        text = say("Go on: {step}", step=say(following.title))
        ui.link(text, f"/products/{self._name}?step={following.key}").classes("next")

    async def _redraw_steps(self) -> None:
        """Read again what can be done now; the chosen step stays as it is."""
        async with self._drawing:
            self._draw_steps(await run_in_threadpool(read_bench, self._site, self._name))

    def _draw_steps(self, bench: Bench) -> None:
        self._steps.clear()
        with self._steps:
            self._fill_steps(bench)

    def _fill_steps(self, bench: Bench) -> None:
        say = self._viewer.texts.say
        for number, step in enumerate(STEPS, start=1):
            kind, missing = step.judge(bench)
            word, icon = KINDS[kind]
            current = "step" if step.key == self._key else "false"
            address = f"/products/{self._name}?step={step.key}"
            with ui.link(target=address).classes(f"step step-{kind}") as link:
                attributes(link, aria_current=current)
                ui.icon(icon).props("aria-hidden=true").classes("step-icon")
                with ui.element("div"):
                    ui.label(f"{number}. {say(step.title)}").classes("step-title")
                    ui.label(say(missing) if missing else say(word)).classes("step-state")

    async def _turn(self) -> None:
        """Once a second: draw all again where a job began or ended, else only the figures."""
        if self._context is None:
            return
        try:
            async with self._drawing:
                now = await run_in_threadpool(signature, self._site.jobs, self._name)
                if now != self._signature:
                    await self._draw()
                else:
                    await self._update(self._context)
        except DraemError as error:
            ui.notify(str(error), type="negative")

    async def _update(self, context: Context) -> None:
        for panel in context.panels:
            await panel.update()
        for turn in context.on_turn:
            await turn()
