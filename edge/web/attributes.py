"""`attributes`: attributes of an element that have any text as their value."""

from typing import TypeVar

from nicegui import ui

Kind = TypeVar("Kind", bound=ui.element)


def attributes(element: Kind, **values: str) -> Kind:
    """Set attributes, with `_` in their names for `-`; the element.

    `.props()` parses its text, in which a value can end early and add attributes of its own. It is
    for fixed texts only.
    """
    element.props.update({name.replace("_", "-"): value for name, value in values.items()})
    return element
