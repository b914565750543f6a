"""The names of shifts in the reader's language."""

from edge.web.texts import Texts, mark

NAMES = {"early": mark("early"), "late": mark("late"), "night": mark("night")}
"""Those that there are without `--shift`; other names are the plant's own words."""


def shift_name(name: str, texts: Texts) -> str:
    """A shift's name, translated where it is not the plant's own."""
    return texts.say(NAMES[name]) if name in NAMES else name
