"""Drawing on a picture with mouse, pen or finger: a crop by dragging, a region by its corners."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from nicegui import events, ui

from edge.vision.frame import Box
from edge.vision.polygon import Polygon

EVENTS = ["pointerdown", "pointermove", "pointerup"]
# Moves without a button would be sent for nothing.
DRAGS = "(e) => { if (e.mouse_event_type !== 'pointermove' || e.buttons) emit(e) }"
LEAST = 8  # pixels of a side: less is a tap


@dataclass
class Drawing:
    """A picture with a crop, regions, and the corners of a region that is being drawn."""

    size: tuple[int, int]  # width, height
    crop: Box | None = None
    regions: dict[str, Polygon] = field(default_factory=dict)
    corners: list[tuple[float, float]] = field(default_factory=list)
    draws_region: bool = False
    changed: Callable[[], None] = lambda: None
    _start: tuple[float, float] | None = None

    def show(self, address: str, label: str) -> None:
        """The picture; `changed` is called after each change by hand."""
        self._image = ui.interactive_image(address, events=EVENTS).classes("drawing")
        # The component has no way to say what its picture shows.
        name = f"getHtmlElement({self._image.id}).querySelector('img').alt = {json.dumps(label)}"
        self._image.on("loaded", js_handler=f"() => {{ {name} }}")
        # All of it must be in view, or a drag could not reach its corners.
        self._image.style(f"max-width: calc(60vh * {self.size[0] / self.size[1]:.4f})")
        self._image.on("mouse", self._on_pointer, js_handler=DRAGS)
        self.draw()

    def _on_pointer(self, event: events.GenericEventArguments) -> None:
        args: dict[str, Any] = event.args
        width, height = self.size
        x = min(max(float(args.get("image_x") or 0), 0), width)
        y = min(max(float(args.get("image_y") or 0), 0), height)
        kind = args.get("mouse_event_type")
        if self.draws_region:
            if kind == "pointerdown":
                self.corners.append((round(x, 1), round(y, 1)))
        elif kind == "pointerdown":
            self._start = (x, y)
            return
        elif self._start is not None:
            self._drag(x, y)
            if kind == "pointerup":
                self._start = None
        else:
            return
        self.draw()
        self.changed()

    def _drag(self, x: float, y: float) -> None:
        """The crop between where the drag began and here."""
        assert self._start is not None
        left, right = sorted((round(self._start[0]), round(x)))
        top, bottom = sorted((round(self._start[1]), round(y)))
        if right - left >= LEAST and bottom - top >= LEAST:
            self.crop = (left, top, right - left, bottom - top)

    def draw(self) -> None:
        """Draw crop, regions and corners over the picture."""
        self._image.content = "".join((self._crop(), *self._shapes()))

    def _crop(self) -> str:
        if self.crop is None:
            return ""
        x, y, width, height = self.crop
        whole = f"M0 0H{self.size[0]}V{self.size[1]}H0Z"
        hole = f"M{x} {y}V{y + height}H{x + width}V{y}Z"
        return (
            f'<path d="{whole}{hole}" fill="#000000" fill-opacity="0.55" fill-rule="evenodd"/>'
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="none" '
            f'stroke="#ffffff" stroke-width="{self._line}"/>'
        )

    @property
    def _line(self) -> float:
        return round(max(self.size) / 320, 2)

    def _shapes(self) -> list[str]:
        found = []
        for name, polygon in self.regions.items():
            points = " ".join(f"{x:g},{y:g}" for x, y in polygon)
            x, y = polygon[0]
            found.append(
                f'<polygon points="{points}" fill="#00a2ff" fill-opacity="0.2" stroke="#00a2ff" '
                f'stroke-width="{self._line}"/><text x="{x:g}" y="{y:g}" fill="#ffffff" '
                f'stroke="#000000" paint-order="stroke" stroke-width="{self._line}" '
                f'font-size="{12 * self._line}">{escape(name)}</text>'
            )
        points = " ".join(f"{x:g},{y:g}" for x, y in self.corners)
        found.append(
            f'<polyline points="{points}" fill="none" stroke="#ffd400" '
            f'stroke-width="{self._line}"/>'
        )
        radius = 2.5 * self._line
        found += [
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius}" fill="#ffd400"/>' for x, y in self.corners
        ]
        return found
