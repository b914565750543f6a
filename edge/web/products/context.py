"""`Context`: what the steps of a product's page share while the page is open."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams

from edge.web.accounts.roles import Role
from edge.web.jobs.job import Job, JobSpec
from edge.web.jobs.panel import JobPanel
from edge.web.page import guarded
from edge.web.products.bench import Bench
from edge.web.products.commands import Commands
from edge.web.products.draft import Draft, DraftFolder, changed
from edge.web.products.picture_folder import PictureFolder, picture_folder
from edge.web.site import Site
from edge.web.viewer import Viewer

Redraw = Callable[[], Awaitable[None]]


@dataclass
class Context:
    """One product in one browser; made again with each drawing.

    `kept` is what a person has written and not sent yet: it survives a drawing.
    """

    site: Site
    viewer: Viewer
    bench: Bench
    query: QueryParams
    redraw: Redraw
    redraw_steps: Redraw
    kept: dict[str, Any]
    panels: list[JobPanel] = field(default_factory=list)
    on_turn: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.bench.name

    @property
    def pictures(self) -> PictureFolder:
        return picture_folder(self.site.settings.images, self.name)

    @property
    def drafts(self) -> DraftFolder:
        return DraftFolder(self.site.settings.folder, self.name)

    @property
    def commands(self) -> Commands:
        return Commands(self.site.settings, self.name, self.viewer.account.name)

    @property
    def may_change(self) -> bool:
        """Whether to offer what changes something."""
        return self.viewer.may(Role.ENGINEER)

    async def submit(
        self, *specs: JobSpec, reason: str = "", prepare: Callable[[], None] = lambda: None
    ) -> list[Job]:
        """Put jobs into the queue, each with an entry in the audit trail, and show them.

        A spec without `after` does not wait; the others wait for the one before. `prepare` is done
        before each that the queue takes.
        """
        made: list[Job] = []
        for spec in specs:
            if spec.after is not None and made:
                spec = spec.model_copy(update={"after": made[-1].id})

            def submit(spec: JobSpec = spec) -> Job:
                return self.site.jobs.submit(spec, prepare)

            target, words = f"{spec.product} {spec.kind}", " ".join(spec.words)[:400]
            job = await self.viewer.change(
                Role.ENGINEER, "start job", target, submit, new=words, reason=reason
            )
            made.append(job)
        await self.redraw()
        return made

    async def keep(self, **values: Any) -> Draft:
        """Change the draft. Raises DraemError for values that no command takes."""
        before = await run_in_threadpool(self.drafts.read)
        draft = changed(before, **values)
        old = {name: getattr(before, name) for name in values}
        await self.viewer.change(
            Role.ENGINEER,
            "set up product",
            self.name,
            lambda: self.drafts.write(draft),
            old=str(old)[:400],
            new=str(values)[:400],
        )
        return draft

    def panel(self, *kinds: str) -> Job | None:
        """The newest job of these kinds, live."""
        job = self.bench.last(*kinds)
        if job is not None:
            self.panels.append(JobPanel(self.viewer, self.site.jobs, job))
        return job

    def button(
        self, text: str, do: Callable[[], Awaitable[object]], *, icon: str = "", main: bool = False
    ) -> ui.button:
        """A button for those who may change something; for others it is disabled."""
        made = ui.button(text, icon=icon or None).props("" if main else "outline")
        made.on_click(guarded(self.viewer, do))
        made.set_enabled(self.may_change)
        return made


def heading(text: str) -> None:
    """A heading inside a card."""
    with ui.element("h2"):
        ui.label(text)
