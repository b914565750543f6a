"""A part's picture with the outlines of its defects, and the network's mask over it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from edge.archive.search import Found
from edge.web.history.meanings import NO_PICTURE
from edge.web.parts import WORDS, picture_address
from edge.web.texts import Texts

DIGEST = re.compile(r"[0-9a-f]{64}")
NUMBER_SIZE = 1 / 40  # of the picture's width
# White of the mask becomes red and half transparent, black becomes transparent.
RED = (
    '<filter id="red-mask"><feColorMatrix values="0 0 0 0 1  0 0 0 0 0.1  0 0 0 0 0.2  '
    '0.6 0 0 0 0"/></filter>'
)
Regions = Sequence[Mapping[str, Any]]


class PictureView:
    """A picture that can change, with switches for outlines and mask."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self.outlines, self.mask = True, False
        self._part: Found | None = None
        self._regions: Regions = ()
        with ui.element("div").classes("picture").props("role=img") as self._box:
            image = ui.interactive_image(sanitize=False)  # numbers and digests alone, see overlay()
            self._image = image.props("aria-hidden=true").on("loaded", self._take_size)
        self._missing = ui.label().classes("picture-missing")

    def show(self, part: Found, regions: Regions) -> None:
        """Another part."""
        self._part, self._regions = part, regions
        shown = part.picture or part.mask
        self._box.visible = shown is not None
        self._missing.visible = part.picture is None
        self._missing.text = self._texts.say(NO_PICTURE.get(part.picture_state, part.picture_state))
        what = self._texts.say(WORDS.get(part.verdict, part.verdict))
        name = self._texts.say("picture of part {part}: {verdict}", part=part.key, verdict=what)
        self._box.props["aria-label"] = name
        if shown is not None:
            self._image.set_source(picture_address(shown))
        self.draw()

    def _take_size(self, event: GenericEventArguments) -> None:
        """The picture's proportions, for style sheets that fit it into the window."""
        width, height = float(event.args["width"]), float(event.args["height"])
        if width > 0 and height > 0:
            self._box.style(f"--ratio: {width / height:.4f}")

    def draw(self) -> None:
        """Draw what lies over the picture again, after a switch."""
        if self._part is None or self._part.picture is None:
            self._image.set_content("")
            return
        made = mask_overlay(self._part) if self.mask else ""
        made += outlines(self._part, self._regions) if self.outlines else ""
        self._image.set_content(made)


def placement(part: Found) -> tuple[int, int, int, int] | None:
    """The part of the camera's frame that the mask covers; None where it is not known."""
    crop = part.details.get("mask", {}).get("crop")
    if not isinstance(crop, list) or len(crop) != 4:
        return None
    x, y, width, height = (int(value) for value in crop)
    return x, y, width, height


def is_corrected(part: Found) -> bool:
    """Whether the mask belongs to a picture without lens distortion and tilt, and not to this."""
    return bool(part.details.get("mask", {}).get("corrected"))


def mask_overlay(part: Found) -> str:
    """The mask as SVG, where it lies in the camera's frame."""
    crop = placement(part)
    if crop is None or part.mask is None or not DIGEST.fullmatch(part.mask):
        return ""
    x, y, width, height = crop
    return (
        f'{RED}<image href="{picture_address(part.mask)}" x="{x}" y="{y}" width="{width}" '
        f'height="{height}" preserveAspectRatio="none" filter="url(#red-mask)"/>'
    )


def outlines(part: Found, regions: Regions) -> str:
    """The boxes of the defects as SVG with their numbers, dark below light: seen on any ground."""
    crop = placement(part)
    size = max(8, round(crop[2] * NUMBER_SIZE)) if crop else 16
    made = []
    for region in regions:
        x, y, width, height, number = (
            int(region[name]) for name in ("x", "y", "width", "height", "number")
        )
        box = f'x="{x}" y="{y}" width="{width}" height="{height}"'
        made.append(f'<rect {box} class="outline-dark"/><rect {box} class="outline"/>')
        top = y - size // 4 if y > size * 1.5 else y + height + size
        made.append(
            f'<text x="{x}" y="{top}" font-size="{size}" class="outline-number">{number + 1}</text>'
        )
    return "".join(made)
