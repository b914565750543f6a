"""Engine: compile for this device, and how well it was proven."""

from nicegui import ui

from edge.web.products.context import Context, heading


async def build_step(context: Context) -> None:
    """The button, the job, and the proof of each engine of the newest version."""
    texts, say = context.viewer.texts, context.viewer.texts.say
    newest = context.bench.newest
    with ui.element("section").classes("card"):
        ui.label(
            say(
                "The engine is compiled for this device, and must give the trained network's "
                "scores on golden frames, and not those of an untrained one."
            )
        )
        if newest is None:
            ui.label(say("First train a version.")).classes("state-warning")
            return

        async def build() -> None:
            await context.submit(context.commands.build(newest.number))

        text = say("Build version {number}", number=newest.number)
        button = context.button(text, build, icon="memory", main=not newest.is_built)
        button.set_enabled(context.may_change and not context.bench.is_doing("build"))
    context.panel("build")
    for engine in newest.engines:
        with ui.element("section").classes("card"):
            heading(f"{engine.flavour} {engine.precision}, {engine.device}")
            if not engine.proven:
                ui.label(say("not proven on this device yet")).classes("state-warning")
                continue
            ui.label(say("proven")).classes("state-good")
            names = {"score_max": say("scores differ by at most"),
                     "map_max": say("heatmaps differ by at most")}  # fmt: skip
            for key, name in names.items():
                if key in engine.proof:
                    ui.label(f"{name} {texts.number(engine.proof[key], 5)}").classes("number")
