"""Where defects lie: squares over a picture of the product, and the same as a table."""

from collections.abc import Sequence

from nicegui import ui

from edge.archive.statistics import PLACE_PIXELS
from edge.web.parts import picture_address
from edge.web.plain_table import plain_table
from edge.web.statistics.numbers import Places
from edge.web.statistics.parts import titled_card
from edge.web.texts import Texts

MOST_SQUARES, NUMBERED, IN_TABLE = 200, 12, 30
PALEST, DARKEST = 0.2, 0.75


def places_card(texts: Texts, places: Places) -> None:
    """The card; without a picture at hand it has the table alone."""
    say = texts.say
    with titled_card(say("Places of defects"), "chart-card"):
        if not places.squares:
            ui.label(say("There are no defects in this period.")).classes("muted")
            return
        if places.product is None:
            text = say("Choose a product: places are those of its picture.")
            ui.label(text).classes("muted")
            return
        about = say("Squares of {pixels} pixels; a darker square has more.", pixels=PLACE_PIXELS)
        everybody = say("Of all stations with the product {product}.", product=places.product)
        ui.label(f"{about} {everybody}").classes("muted")
        if places.picture:
            _grid(texts, places)
        _table(texts, places.squares)


def _grid(texts: Texts, places: Places) -> None:
    width, height = places.width_height
    most = places.squares[0][2]
    with ui.element("div").classes("places"):
        picture = ui.element("img")
        picture.props["src"] = picture_address(str(places.picture))
        picture.props["alt"] = texts.say("A part, with squares where defects lie")
        for i, (x, y, count) in enumerate(places.squares[:MOST_SQUARES]):
            alpha = PALEST + (DARKEST - PALEST) * count / most
            style = (
                f"left:{100 * x / width:.3f}%;top:{100 * y / height:.3f}%;"
                f"width:{100 * PLACE_PIXELS / width:.3f}%;"
                f"height:{100 * PLACE_PIXELS / height:.3f}%;"
                f"background:rgba(176,0,32,{alpha:.2f})"
            )
            with ui.element("div").classes("place").style(style).props("aria-hidden=true"):
                if i < NUMBERED:
                    ui.label(texts.number(count))


def _table(texts: Texts, squares: Sequence[tuple[int, int, int]]) -> None:
    say = texts.say
    rows = [[f"{x}, {y}", texts.number(count)] for x, y, count in squares[:IN_TABLE]]
    with ui.expansion(say("As a table")).classes("places-table"):
        plain_table(
            say("Places of defects"), [say("Square at pixel x, y"), say("Defects")], rows, 1
        )
        if len(squares) > IN_TABLE:
            ui.label(say("Only the first ones are shown.")).classes("muted")
