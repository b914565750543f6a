"""/products: all products with what runs; /products/new: a name for another one."""

from dataclasses import dataclass

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from edge.base.errors import DraemError, ProductError
from edge.product.product import NAME, check_name
from edge.web.accounts.roles import Role
from edge.web.jobs.panel import JobPanel
from edge.web.page import guarded
from edge.web.products.bench import STEPS, Bench, next_step, read_bench
from edge.web.products.picture_folder import picture_folder
from edge.web.products.running import RunningStations
from edge.web.products.uploader import import_field
from edge.web.shell import show_error
from edge.web.site import Site
from edge.web.viewer import Viewer

TURN_S = 1.0


@dataclass(frozen=True)
class Line:
    """A product of the overview; `error` says why the rest is not known."""

    name: str
    bench: Bench | None
    error: str = ""


def product_names(site: Site) -> list[str]:
    """All products that have versions or pictures."""
    places = (site.settings.products, site.settings.images, site.settings.folder / "products")
    found = {p.name for place in places if place.is_dir() for p in place.iterdir() if p.is_dir()}
    return sorted((name for name in found if NAME.fullmatch(name)), key=str.lower)


async def build_overview(site: Site, viewer: Viewer) -> None:
    """A card for each product."""
    say = viewer.texts.say
    lines = await run_in_threadpool(_lines, site)
    if viewer.may(Role.ENGINEER):
        with ui.element("div").classes("row-wrap"):
            ui.button(say("New product"), icon="add").on_click(
                lambda: ui.navigate.to("/products/new")
            )
    if not lines:
        ui.label(say("There is no product yet.")).classes("muted")
    with ui.element("div").classes("cards"):
        cards = [_card(site, viewer, line) for line in lines]
    if viewer.may(Role.ENGINEER):
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label(say("Import a release of another station"))
            import_field(viewer)
    imports = site.jobs.of("")[-1:]
    panels = [JobPanel(viewer, site.jobs, job) for job in imports]
    under_way = {job.id for job in imports if job.is_open}

    async def update() -> None:
        for card in filter(None, cards):
            await card.update()
        for panel in panels:
            job = await panel.update()
            if job.id in under_way and not job.is_open:
                under_way.remove(job.id)
                ui.navigate.reload()  # the product has a version more

    await update()
    ui.timer(TURN_S, update)


def _lines(site: Site) -> list[Line]:
    lines = []
    for name in product_names(site):
        try:
            lines.append(Line(name, read_bench(site, name)))
        except DraemError as error:
            lines.append(Line(name, None, str(error)))
    return lines


def _card(site: Site, viewer: Viewer, line: Line) -> RunningStations | None:
    say = viewer.texts.say
    with ui.link(target=f"/products/{line.name}").classes("card product-card"):
        with ui.element("h2"):
            ui.label(line.name)
        if line.bench is None:
            show_error(line.error)
            return None
        bench = line.bench
        running = RunningStations(site, viewer, line.name)
        current = bench.current
        if current is not None:
            ui.label(say("current version: {number}", number=current.number))
        ui.label(_summary(viewer, bench)).classes("muted")
        step = next(step for step in STEPS if step.key == next_step(bench))
        ui.label(say("next: {step}", step=say(step.title)))
    return running


def _summary(viewer: Viewer, bench: Bench) -> str:
    say_count, number = viewer.texts.say_count, len(bench.versions)
    pictures = say_count("{count} picture", "{count} pictures", bench.pictures)
    versions = say_count("{count} version", "{count} versions", number)
    return f"{pictures}, {versions}"


def build_new(site: Site, viewer: Viewer) -> None:
    """A form with the name."""
    say = viewer.texts.say
    with ui.element("section").classes("card"):
        ui.label(say("What is the part called? Events and files will have this name."))
        field = ui.input(say("Name of the product")).props("outlined autofocus maxlength=100")
        rule = say("Letters, digits, '_', '-' and '.'; it begins with a letter or digit.")
        ui.label(rule).classes("muted")

        async def make() -> None:
            name = str(field.value or "").strip()
            check_name(name)
            if name in ("new", "import") or name in product_names(site):
                raise ProductError(f"there is a product {name} already: choose another name")
            folder = picture_folder(site.settings.images, name)

            def create() -> None:
                folder.good.mkdir(parents=True, exist_ok=True)

            await viewer.change(Role.ENGINEER, "new product", name, create)
            ui.navigate.to(f"/products/{name}?step=pictures")

        field.on("keydown.enter", guarded(viewer, make))
        ui.button(say("Make the product"), icon="check").on_click(guarded(viewer, make))
